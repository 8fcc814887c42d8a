#include "daemon/api/metrics.h"

#include <inttypes.h>

#include "daemon/api/metrics_instances.h"
#include "daemon/core/access.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "db/cache.h"
#include "db/db.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/net/http_server.h"

static void header(struct strbuf *b, const char *name, const char *type, const char *help)
{
	strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_instances(struct strbuf *b, const struct request *req, const struct db_view *view)
{
	const struct db_projects *projects = db_cache_projects(view);
	size_t n;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	scoped_free char *member = state_member_name(req->state);

	header(b, "lxd_instances", "gauge", "The number of instances on this server.");
	for (size_t i = 0; i < projects->n; i++) {
		size_t counts[2] = { 0 };

		if (!access_may_enter(req->requestor, projects->rows[i].name) &&
		    access_is_trusted(req->requestor))
			continue;

		for (size_t j = 0; j < n; j++) {
			const struct db_instance *row = &instances[j]->row;

			if (str_equals(row->project, projects->rows[i].name) &&
			    str_equals(row->member, member))
				counts[row->type == DB_INSTANCE_VM]++;
		}

		for (int vm = 0; vm < 2; vm++) {
			strbuf_add(b, "lxd_instances{project=\"");
			metrics_instances_label(b, projects->rows[i].name);
			strbuf_addf(b, "\",type=\"%s\"} %zu\n",
			            vm ? "virtual-machine" : "container", counts[vm]);
		}
	}
}

static void add_database(struct strbuf *b, const struct request *req)
{
	struct db_counts counts;

	db_counts(req->state->db, &counts);
	header(b, "muster_database_requests_total", "counter",
	       "The number of messages to the database.");
	strbuf_addf(b, "muster_database_requests_total %" PRIu64 "\n", counts.n_requests);
	header(b, "muster_database_commits_total", "counter",
	       "The number of transactions that were committed.");
	strbuf_addf(b, "muster_database_commits_total %" PRIu64 "\n", counts.n_commits);
}

static void add_internal(struct strbuf *b, const struct request *req, const struct db_view *view)
{
	struct http_server_counts counts = { 0 };
	double uptime = (double)((uint64_t)date_monotonic_ns() - req->state->started_at) / 1e9;

	http_server_counts(req->state->http, &counts);
	header(b, "lxd_operations_total", "counter", "The number of running operations.");
	strbuf_addf(b, "lxd_operations_total %zu\n", operation_count(req->state));
	header(b, "lxd_uptime_seconds", "gauge", "The time since the daemon started.");
	strbuf_addf(b, "lxd_uptime_seconds %.3f\n", uptime);
	header(b, "lxd_warnings_total", "counter", "The number of warnings.");
	strbuf_addf(b, "lxd_warnings_total %zu\n", db_cache_warnings(view)->n);
	header(b, "muster_requests_total", "counter", "The number of requests that were read.");
	strbuf_addf(b, "muster_requests_total %" PRIu64 "\n", counts.requests);
	header(b, "muster_connections", "gauge", "The number of open connections.");
	strbuf_addf(b, "muster_connections %u\n", counts.connections);
	add_database(b, req);
}

static int metrics_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(strbuf_done) struct strbuf b = { 0 };

	int r = db_cache_view(req->state->cache, INSTANCE_FAMILIES | DB_WARNINGS, &view, err);
	if (r < 0)
		return r;

	metrics_instances_add(&b, req, view);
	add_instances(&b, req, view);
	add_internal(&b, req, view);
	strbuf_add(&b, "# EOF\n");

	size_t size = b.size;

	response_raw(res, 200, "text/plain", strbuf_take(&b), size);
	return 0;
}

static const struct route routes[] = {
	{ .method = "GET",
	  .path = "/1.0/metrics",
	  .handler = metrics_get,
	  .access = ACCESS_METRICS,
	  .placement = ON_TARGET,
	  .extension = "metrics" },
};

const struct route_table metrics_routes = ROUTE_TABLE(routes);
