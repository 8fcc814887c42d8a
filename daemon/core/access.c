#include "daemon/core/access.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <json-c/json.h>

#include "lib/base/alloc.h"

/* The count beside what everybody sees; the public part is the first member. */
struct counted {
	struct requestor requestor;
	atomic_size_t n_refs;
};

static const struct requestor daemon_requestor = {
	.kind = REQUESTOR_ADMIN,
};

static char *copy(const char *s)
{
	return xstrdup(s ? s : "");
}

struct requestor *access_new(enum requestor_kind kind, const char *username, const char *protocol,
                             const char *address)
{
	struct counted *c = xcalloc(1, sizeof(*c));

	c->requestor.kind = kind;
	c->requestor.username = copy(username);
	c->requestor.protocol = copy(protocol);
	c->requestor.address = copy(address);
	atomic_init(&c->n_refs, 1);
	return &c->requestor;
}

struct requestor *access_ref(const struct requestor *requestor)
{
	struct counted *c = (struct counted *)requestor;

	if (requestor && requestor != &daemon_requestor)
		atomic_fetch_add(&c->n_refs, 1);

	return &c->requestor;
}

void access_unref(struct requestor *requestor)
{
	struct counted *c = (struct counted *)requestor;

	if (!requestor || requestor == &daemon_requestor || atomic_fetch_sub(&c->n_refs, 1) > 1)
		return;

	free(requestor->username);
	free(requestor->protocol);
	free(requestor->address);
	free(requestor->fingerprint);
	for (char **p = requestor->projects; p && *p; p++)
		free(*p);
	free(requestor->projects);
	free(c);
}

const struct requestor *access_daemon(void)
{
	return &daemon_requestor;
}

bool access_is_trusted(const struct requestor *requestor)
{
	return requestor->kind >= REQUESTOR_CLIENT;
}

bool access_is_admin(const struct requestor *requestor)
{
	return access_is_trusted(requestor) && !requestor->is_restricted;
}

bool access_may_enter(const struct requestor *requestor, const char *project)
{
	if (!access_is_trusted(requestor))
		return false;

	if (!requestor->is_restricted)
		return true;

	for (char **p = requestor->projects; p && *p; p++) {
		if (strcmp(*p, project) == 0)
			return true;
	}

	return false;
}

struct json_object *access_json(const struct requestor *requestor)
{
	if (!requestor || requestor == &daemon_requestor)
		return NULL;

	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "username", json_object_new_string(requestor->username));
	json_object_object_add(o, "protocol", json_object_new_string(requestor->protocol));
	json_object_object_add(o, "address", json_object_new_string(requestor->address));
	return o;
}
