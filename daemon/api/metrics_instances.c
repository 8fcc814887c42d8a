/*
 * The state of each running instance is asked for once; then the samples are written name by name,
 * as the format wants them. A table says where in the state each comes from.
 */
#include "daemon/api/metrics_instances.h"

#include <inttypes.h>

#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_json.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"

#define NANO 1e9

/* A number in the state: state[group][key], times 'factor'; of each interface for "network". */
struct metric {
	const char *name;
	const char *type;
	const char *help;
	const char *group;
	const char *key;
	double factor;
};

/* clang-format off */
static const struct metric metrics[] = {
	{ "lxd_cpu_seconds_total", "counter", "The CPU time used in seconds.", "cpu", "usage", 1 / NANO },
	{ "lxd_memory_MemTotal_bytes", "gauge", "The memory that may be used.", "memory", "total", 1 },
	{ "lxd_memory_RSS_bytes", "gauge", "The memory that is used.", "memory", "usage", 1 },
	{ "lxd_memory_Swap_bytes", "gauge", "The swap that is used.", "memory", "swap_usage", 1 },
	{ "lxd_procs_total", "gauge", "The number of processes.", NULL, "processes", 1 },
	{ "lxd_filesystem_size_bytes", "gauge", "The size of the root disk, 0 if not limited.", "disk", "total", 1 },
	{ "lxd_filesystem_usage_bytes", "gauge", "The space used on the root disk.", "disk", "usage", 1 },
	{ "lxd_network_receive_bytes_total", "counter", "Bytes received.", "network", "bytes_received", 1 },
	{ "lxd_network_receive_packets_total", "counter", "Packets received.", "network", "packets_received", 1 },
	{ "lxd_network_receive_errs_total", "counter", "Errors while receiving.", "network", "errors_received", 1 },
	{ "lxd_network_receive_drop_total", "counter", "Packets dropped while receiving.", "network", "packets_dropped_inbound", 1 },
	{ "lxd_network_transmit_bytes_total", "counter", "Bytes sent.", "network", "bytes_sent", 1 },
	{ "lxd_network_transmit_packets_total", "counter", "Packets sent.", "network", "packets_sent", 1 },
	{ "lxd_network_transmit_errs_total", "counter", "Errors while sending.", "network", "errors_sent", 1 },
	{ "lxd_network_transmit_drop_total", "counter", "Packets dropped while sending.", "network", "packets_dropped_outbound", 1 },
};
/* clang-format on */

struct sample {
	char *name;
	char *project;
	const char *type;
	struct json_object *state;
};

void metrics_instances_label(struct strbuf *b, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n') {
			strbuf_add(b, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			strbuf_add_char(b, '\\');
		strbuf_add_char(b, *value);
	}
}

static void add(struct strbuf *b, const struct metric *m, const struct sample *s,
                const char *extra_key, const char *extra, struct json_object *group)
{
	strbuf_addf(b, "%s{", m->name);
	if (extra_key) {
		strbuf_addf(b, "%s=\"", extra_key);
		metrics_instances_label(b, extra);
		strbuf_add(b, "\",");
	}
	strbuf_add(b, "name=\"");
	metrics_instances_label(b, s->name);
	strbuf_add(b, "\",project=\"");
	metrics_instances_label(b, s->project);
	strbuf_addf(b, "\",type=\"%s\"} ", s->type);
	if (m->factor < 1)
		strbuf_addf(b, "%.6f\n", (double)jv_number(group, m->key) * m->factor);
	else
		strbuf_addf(b, "%" PRId64 "\n", jv_number(group, m->key));
}

static void add_metric(struct strbuf *b, const struct metric *m, const struct sample *s)
{
	struct json_object *group = m->group ? jv_member(s->state, m->group) : s->state;

	if (!group)
		return;

	if (str_equals(m->group, "network")) {
		JV_FOREACH (group, interface, value) {
			add(b, m, s, "device", interface, jv_member(value, "counters"));
		}
	} else if (str_equals(m->group, "disk")) {
		add(b, m, s, "mountpoint", "/", jv_member(group, "root"));
	} else {
		add(b, m, s, NULL, NULL, group);
	}
}

static bool is_shown(const struct request *req, const struct db_instance *row, const char *member)
{
	const char *project = request_query(req, "project");

	if (!str_equals(row->member, member) ||
	    (!str_is_empty(project) && !str_equals(project, row->project)))
		return false;

	return req->requestor->kind == REQUESTOR_METRICS ||
	       req->requestor->kind == REQUESTOR_GUEST ||
	       access_may_enter(req->requestor, row->project);
}

void metrics_instances_add(struct strbuf *b, const struct request *req, struct db_view *view)
{
	ARRAY_OF(struct sample) samples = { 0 };
	scoped_free char *member = state_member_name(req->state);
	size_t n;
	const struct db_expanded *const *rows = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++) {
		const struct db_instance *row = &rows[i]->row;
		scoped(instance_freep) struct instance *inst = NULL;
		scoped(error_freep) struct error *ignored = NULL;
		struct json_object *state = NULL;

		if (!is_shown(req, row, member))
			continue;

		inst = instance_of_row(req->state, rows[i]);
		inst->view = db_cache_view_ref(view);
		if (instance_json_state(inst, INSTANCE_JSON_ALL, &state, &ignored) < 0)
			continue;

		if (jv_number(state, "pid") <= 0) {
			jv_unref(state);
			continue;
		}

		ARRAY_ADD(&samples,
		          (struct sample){ .name = xstrdup(row->name),
		                           .project = xstrdup(row->project),
		                           .type = row->type == DB_INSTANCE_VM ? "virtual-machine"
		                                                               : "container",
		                           .state = state });
	}

	for (size_t m = 0; m < COUNT_OF(metrics) && samples.n_items > 0; m++) {
		strbuf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
		            metrics[m].name, metrics[m].type);
		for (size_t i = 0; i < samples.n_items; i++)
			add_metric(b, &metrics[m], &samples.items[i]);
	}

	for (size_t i = 0; i < samples.n_items; i++) {
		free(samples.items[i].name);
		free(samples.items[i].project);
		jv_unref(samples.items[i].state);
	}
	ARRAY_DONE(&samples);
}
