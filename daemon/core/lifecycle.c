#include "daemon/core/lifecycle.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* Every action that is sent, by the kind of object; sorted. Clients match on these words. */
static const char *const actions[] = {
	"certificate-created",
	"certificate-deleted",
	"certificate-updated",
	"cluster-certificate-updated",
	"cluster-disabled",
	"cluster-enabled",
	"cluster-group-created",
	"cluster-group-deleted",
	"cluster-group-renamed",
	"cluster-group-updated",
	"cluster-member-added",
	"cluster-member-evacuated",
	"cluster-member-evacuating",
	"cluster-member-fenced",
	"cluster-member-healed",
	"cluster-member-offline",
	"cluster-member-online",
	"cluster-member-removed",
	"cluster-member-renamed",
	"cluster-member-restored",
	"cluster-member-restoring",
	"cluster-member-updated",
	"cluster-token-created",
	"config-updated",
	"image-alias-created",
	"image-alias-deleted",
	"image-alias-renamed",
	"image-alias-updated",
	"image-created",
	"image-deleted",
	"image-refreshed",
	"image-retrieved",
	"image-secret-created",
	"image-updated",
	"instance-console",
	"instance-console-reset",
	"instance-console-retrieved",
	"instance-created",
	"instance-deleted",
	"instance-exec",
	"instance-file-deleted",
	"instance-file-pushed",
	"instance-file-retrieved",
	"instance-log-deleted",
	"instance-log-retrieved",
	"instance-metadata-retrieved",
	"instance-metadata-template-created",
	"instance-metadata-template-deleted",
	"instance-metadata-template-retrieved",
	"instance-metadata-updated",
	"instance-migrated",
	"instance-migration-failed",
	"instance-migration-skipped",
	"instance-migration-started",
	"instance-paused",
	"instance-ready",
	"instance-renamed",
	"instance-restarted",
	"instance-restored",
	"instance-resumed",
	"instance-shutdown",
	"instance-snapshot-created",
	"instance-snapshot-deleted",
	"instance-snapshot-renamed",
	"instance-snapshot-updated",
	"instance-started",
	"instance-stopped",
	"instance-updated",
	"operation-cancelled",
	"placement-group-created",
	"placement-group-deleted",
	"placement-group-renamed",
	"placement-group-updated",
	"profile-created",
	"profile-deleted",
	"profile-renamed",
	"profile-updated",
	"project-created",
	"project-deleted",
	"project-renamed",
	"project-updated",
	"storage-pool-created",
	"storage-pool-deleted",
	"storage-pool-updated",
	"storage-volume-created",
	"storage-volume-deleted",
	"storage-volume-renamed",
	"storage-volume-restored",
	"storage-volume-snapshot-created",
	"storage-volume-snapshot-deleted",
	"storage-volume-snapshot-renamed",
	"storage-volume-snapshot-updated",
	"storage-volume-updated",
	"warning-acknowledged",
	"warning-deleted",
	"warning-reset",
};

static bool is_known(const char *action)
{
	return bsearch(&action, actions, COUNT_OF(actions), sizeof(actions[0]), str_compare_items);
}

/* The name that a URL ends with, decoded: "c 1" of "/1.0/instances/c%201?project=p". */
static char *name_of(const char *url)
{
	size_t len = strcspn(url, "?");
	size_t start = len;
	char *name;

	while (start > 0 && url[start - 1] != '/')
		start--;

	if (url_decode(url + start, len - start, false, &name) < 0)
		return xstrdup("");

	return name;
}

void lifecycle_send(struct state *state, const struct requestor *requestor, const char *action,
                    const char *project, const char *url, struct json_object *context_take)
{
	assert(is_known(action));

	scoped(jv_unrefp) struct json_object *context = context_take;

	if (!event_has_listeners(state, EVENT_LIFECYCLE))
		return;

	struct json_object *metadata = jv_object();
	struct json_object *who = access_json(requestor);
	scoped_free char *name = name_of(url);

	jv_set_string(metadata, "action", action);
	jv_set_string(metadata, "source", url);
	if (context)
		jv_set_take(metadata, "context", TAKE_PTR(context));
	if (who)
		jv_set_take(metadata, "requestor", who);
	if (!str_equals(url, "/1.0"))
		jv_set_string(metadata, "name", name);
	if (project)
		jv_set_string(metadata, "project", project);

	event_publish(state, EVENT_LIFECYCLE, project, metadata);
}

void lifecycle_send_for(struct request *req, const char *action, const char *project,
                        const char *url, struct json_object *context_take)
{
	lifecycle_send(req->state, req->requestor, action, project, url, context_take);
}

void lifecycle_send_op(struct operation *op, const char *action, const char *project,
                       const char *url, struct json_object *context_take)
{
	lifecycle_send(operation_state(op), operation_requestor(op), action, project, url,
	               context_take);
}

char *lifecycle_url(const char *project, const char *const *parts)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	strbuf_add(&b, "/1.0");
	for (; *parts; parts++) {
		scoped_free char *part = url_escape(*parts);

		strbuf_addf(&b, "/%s", part);
	}

	if (project && !str_equals(project, "default")) {
		scoped_free char *escaped = url_escape(project);

		strbuf_addf(&b, "?project=%s", escaped);
	}

	return strbuf_take(&b);
}

const char *lifecycle_action_at(size_t i)
{
	return i < COUNT_OF(actions) ? actions[i] : NULL;
}
