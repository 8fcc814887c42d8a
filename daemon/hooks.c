#include "daemon/hooks.h"

#include <stdlib.h>

#include "cluster/cluster_hooks.h"
#include "daemon/api/listen.h"
#include "daemon/auth/auth.h"
#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/state.h"
#include "daemon/core/warning.h"
#include "daemon/member/member_hooks.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static void database_replaced(void *arg)
{
	struct state *state = arg;

	if (state->cache)
		db_cache_drop(state->cache);
}

static void certificate_changed(void *arg, const char *cert, const char *key)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (state->http && listen_set_certificate(state, cert, key, &err) < 0)
		log_error("Failed presenting the new certificate: %s", err->msg);
}

static void identity_changed(void *arg, const char *member_name, const char *address)
{
	(void)arg;
	log_info_kv("This member has another identity", "name", member_name, "address", address);
}

static void event_came(void *arg, const char *member_name, const char *json, size_t size)
{
	struct state *state = arg;
	scoped(jv_unrefp) struct json_object *event = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (jv_parse_object(json, size, &event, &err) < 0)
		return;

	jv_set_string(event, "location", member_name);
	if (event_publish_remote(state, event, &err) < 0)
		log_debug("Dropped an event of \"%s\": %s", member_name, err->msg);
}

static void lifecycle_came(void *arg, const char *action, const char *source,
                           struct json_object *context)
{
	lifecycle_send(arg, access_daemon(), action, NULL, source,
	               context ? jv_copy(context) : NULL);
}

static void warning_came(void *arg, const char *type, const char *member_name, const char *message,
                         bool is_raised)
{
	scoped_free char *url = lifecycle_url(
		NULL, (const char *const[]){ "cluster", "members", member_name, NULL });

	if (is_raised)
		warning_raise_named(arg, type, NULL, url, message);
	else
		warning_resolve_named(arg, type, url);
}

struct cluster_hooks *hooks_new(struct state *state)
{
	struct cluster_hooks *hooks = xcalloc(1, sizeof(*hooks));

	hooks->arg = state;
	member_hooks_fill(hooks);
	hooks->database_replaced = database_replaced;
	hooks->certificate_changed = certificate_changed;
	hooks->identity_changed = identity_changed;
	hooks->event = event_came;
	hooks->lifecycle = lifecycle_came;
	hooks->warning = warning_came;
	return hooks;
}

void hooks_free(const struct cluster_hooks *hooks)
{
	free((void *)hooks);
}
