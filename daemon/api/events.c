#include "daemon/api/events.h"

#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/stream.h"

#define ALL_TYPES (BIT(EVENT_LOGGING) | BIT(EVENT_OPERATION) | BIT(EVENT_LIFECYCLE))

/* A listener on its way: from the handler to the loop thread. */
struct arrival {
	struct state *state;
	struct event_filter filter;
	char *project;
	struct requestor *requestor;
};

static void arrived(struct stream *stream, void *arg)
{
	struct arrival *a = arg;
	scoped(error_freep) struct error *err = NULL;

	if (stream)
		(void)event_listen(a->state, stream, &a->filter, &err);
	access_unref(a->requestor);
	free(a->project);
	free(a);
}

static int listen_to(struct request *req, struct response *res, const struct event_filter *filter,
                     struct error **err)
{
	struct arrival *a = xcalloc(1, sizeof(*a));

	a->state = req->state;
	a->project = filter->project ? xstrdup(filter->project) : NULL;
	a->requestor = access_ref(filter->requestor);
	a->filter = *filter;
	a->filter.project = a->project;
	a->filter.requestor = a->requestor;

	int r = response_websocket(res, arrived, a, err);
	if (r < 0) {
		access_unref(a->requestor);
		free(a->project);
		free(a);
	}

	return r;
}

static int read_types(struct request *req, unsigned int *ret_types, struct error **err)
{
	const char *text = request_query(req, "type");
	bool is_admin = access_is_admin(req->requestor);
	unsigned int types = 0;

	if (str_is_empty(text)) {
		*ret_types = is_admin ? ALL_TYPES : ALL_TYPES & ~BIT(EVENT_LOGGING);
		return 0;
	}

	scoped(strv_freep) char **names = strv_split(text, ',');

	STRV_FOREACH (name, names) {
		bool is_known = false;

		for (int t = EVENT_LOGGING; t <= EVENT_LIFECYCLE; t++) {
			if (str_equals(name, event_type_name((enum event_type)t))) {
				types |= BIT(t);
				is_known = true;
			}
		}
		if (!is_known)
			return error_set(err, 400, "\"%s\" is not a supported event type", name);
	}

	if (!is_admin && (types & BIT(EVENT_LOGGING)))
		return error_set(err, 403, "Forbidden");

	*ret_types = types;
	return 0;
}

static int read_level(struct request *req, int *ret_level, struct error **err)
{
	static const char *const levels[] = { "debug", "info", "warning", "error" };
	const char *text = request_query(req, "level");

	*ret_level = 0;
	if (str_is_empty(text))
		return 0;

	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (str_equals(text, levels[i])) {
			*ret_level = (int)i;
			return 0;
		}
	}

	return error_set(err, 400, "\"%s\" is not a level of logging", text);
}

static int events_get(struct request *req, struct response *res, struct error **err)
{
	struct event_filter filter = {
		.project = req->all_projects ? NULL : req->project,
		.requestor = req->requestor,
	};

	/* Another member wants what happens here, in whatever project. */
	if (req->is_peer) {
		filter.project = NULL;
		filter.is_peer = true;
	}

	int r = read_types(req, &filter.types, err);
	if (r < 0)
		return r;

	r = read_level(req, &filter.min_level, err);
	if (r < 0)
		return r;

	return listen_to(req, res, &filter, err);
}

static const struct route routes[] = {
	{ .method = "GET",
	  .path = "/1.0/events",
	  .handler = events_get,
	  .access = ACCESS_TRUSTED,
	  .entity = "operation",
	  .placement = ON_TARGET },
};

const struct route_table events_routes = ROUTE_TABLE(routes);
