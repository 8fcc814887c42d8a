#include "client/plan_view.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "client/table.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/base/map.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct plan_view {
	FILE *out;
	bool is_terminal;
	struct map *shown; /* Step to the line that was printed last. */
	char *last_text;   /* The progress text of servers without plans. */
	unsigned n_drawn;  /* Lines that the next drawing replaces. */
};

static const char *text(struct json_object *o, const char *key)
{
	return str_or_empty(jv_text(o, key));
}

static double number(struct json_object *o, const char *key)
{
	return json_object_get_double(jv_member(o, key));
}

/* "c1", or "c1 (web)" outside of the default project. Owned by the caller. */
static char *instance_of(struct json_object *step)
{
	const char *project = text(step, "project");

	if (!*project || strcmp(project, "default") == 0)
		return xstrdup(text(step, "instance"));
	return xasprintf("%s (%s)", text(step, "instance"), project);
}

static bool moves(struct json_object *step)
{
	return *text(step, "to") && strcmp(text(step, "to"), text(step, "from")) != 0;
}

static char *route_of(struct json_object *step)
{
	if (!moves(step))
		return xasprintf("%s", text(step, "from"));
	return xasprintf("%s -> %s", text(step, "from"), text(step, "to"));
}

static char *duration(double seconds)
{
	if (seconds < 0.0005)
		return xstrdup("");
	if (seconds < 1)
		return xasprintf("%.0fms", seconds * 1000);
	if (seconds < 60)
		return xasprintf("%.1fs", seconds);
	return xasprintf("%um%02us", (unsigned)(seconds / 60), (unsigned)seconds % 60);
}

static char *plural(size_t n, const char *noun)
{
	return xasprintf("%zu %s%s", n, noun, n == 1 ? "" : "s");
}

/* It would move, but no member can take it. */
static bool is_stranded(struct json_object *step)
{
	return strcmp(text(step, "mode"), "stay") == 0 && !*text(step, "to");
}

/* Instances without a place that are no step: servers may list them apart, as objects. */
static size_t n_apart(struct json_object *plan)
{
	struct json_object *list = jv_member(plan, "unplaced");
	size_t n = 0;

	for (size_t i = 0; i < jv_len(list); i++)
		n += json_object_is_type(jv_item(list, i), json_type_object);
	return n;
}

static void print_totals(struct json_object *plan, FILE *out)
{
	struct json_object *steps = jv_member(plan, "steps");
	size_t n_moves = 0, n_stops = 0, n_stranded = n_apart(plan);
	int64_t bytes = 0;

	for (size_t i = 0; i < jv_len(steps); i++) {
		struct json_object *s = jv_item(steps, i);

		n_moves += moves(s);
		n_stops += strcmp(text(s, "mode"), "stop") == 0 && !moves(s);
		n_stranded += is_stranded(s);
		bytes += moves(s) ? jv_number(s, "bytes") : 0;
	}
	scoped_free char *instances = plural(jv_len(steps) + n_apart(plan), "instance");
	scoped_free char *size = output_size_iec(bytes);

	fprintf(out, "Plan to %s %s: %s, %zu to move", text(plan, "kind"), text(plan, "member"),
	        instances, n_moves);
	if (n_stops)
		fprintf(out, ", %zu to stop", n_stops);
	if (n_stranded)
		fprintf(out, ", %zu without a place", n_stranded);
	if (bytes)
		fprintf(out, "; %s to copy", size);
	scoped_free char *time = duration(number(plan, "seconds"));
	if (*time)
		fprintf(out, "; about %s", time);
	fputc('\n', out);
	if (*text(plan, "state") && strcmp(text(plan, "state"), "planned") != 0)
		fprintf(out, "State: %s\n", text(plan, "state"));
	if (*text(plan, "error"))
		fprintf(out, "Error: %s\n", text(plan, "error"));
}

static void print_steps(struct json_object *plan, FILE *out)
{
	static const char *const headers[] = { "INSTANCE", "ROUTE", "MODE",     "PHASE",
		                               "SIZE",     "TIME",  "DOWNTIME", NULL };
	struct json_object *steps = jv_member(plan, "steps");
	scoped(table_freep) struct table *table = table_new(headers);

	for (size_t i = 0; i < jv_len(steps); i++) {
		struct json_object *s = jv_item(steps, i);
		int64_t bytes = jv_number(s, "bytes");

		table_add_take(table, instance_of(s));
		table_add_take(table, route_of(s));
		table_add(table, text(s, "mode"));
		table_add(table, text(s, "phase"));
		table_add_take(table, bytes ? output_size_iec(bytes) : xstrdup(""));
		table_add_take(table, duration(number(s, "seconds")));
		table_add_take(table, duration(number(s, "downtime_ms") / 1000));
	}
	if (jv_len(steps))
		table_print(table, TABLE_GRID, out);
}

/* Instances that wait for others, by ordinal. */
static void print_dependencies(struct json_object *step, FILE *out)
{
	struct json_object *list = jv_member(step, "depends_on");

	for (size_t i = 0; i < jv_len(list); i++)
		fprintf(out, "%s%lld", i ? ", " : "  after step ",
		        (long long)json_object_get_int64(jv_item(list, i)));
	if (jv_len(list))
		fputc('\n', out);
}

static void print_rejected(struct json_object *step, FILE *out)
{
	struct json_object *list = jv_member(step, "rejected");

	for (size_t i = 0; i < jv_len(list); i++)
		fprintf(out, "  not %s: %s\n", text(jv_item(list, i), "member"),
		        text(jv_item(list, i), "reason"));
}

static void print_step_reasons(struct json_object *step, FILE *out)
{
	scoped_free char *instance = instance_of(step), *route = route_of(step);
	bool stranded = is_stranded(step);

	if (!*text(step, "reason") && !*text(step, "error") && !jv_len(jv_member(step, "rejected")))
		return;
	fprintf(out, "\n%s: %s\n", instance, stranded ? "no place" : route);
	if (*text(step, "reason"))
		fprintf(out, "  %s: %s\n", moves(step) ? text(step, "to") : text(step, "mode"),
		        text(step, "reason"));
	if (*text(step, "error"))
		fprintf(out, "  error: %s\n", text(step, "error"));
	print_rejected(step, out);
	print_dependencies(step, out);
}

static void print_reasons(struct json_object *plan, FILE *out)
{
	struct json_object *steps = jv_member(plan, "steps"),
			   *unplaced = jv_member(plan, "unplaced");

	for (size_t i = 0; i < jv_len(steps); i++)
		print_step_reasons(jv_item(steps, i), out);
	for (size_t i = 0; i < jv_len(unplaced); i++) {
		struct json_object *u = jv_item(unplaced, i);

		if (!json_object_is_type(u, json_type_object))
			continue;
		scoped_free char *instance = instance_of(u);
		fprintf(out, "\n%s: no place\n", instance);
		if (*text(u, "reason"))
			fprintf(out, "  %s\n", text(u, "reason"));
		print_rejected(u, out);
	}
}

void plan_view_print(struct json_object *plan, FILE *out)
{
	print_totals(plan, out);
	print_steps(plan, out);
	print_reasons(plan, out);
}

struct plan_view *plan_view_new(FILE *out, bool is_terminal)
{
	struct plan_view *view = xcalloc(1, sizeof(*view));

	view->out = out;
	view->is_terminal = is_terminal;
	view->shown = map_new(free);
	return view;
}

void plan_view_free(struct plan_view *view)
{
	if (!view)
		return;
	map_free(view->shown);
	free(view->last_text);
	free(view);
}

static bool is_over(const char *phase)
{
	static const char *const over[] = { "cleaned", "undone", "failed", "skipped" };

	for (size_t i = 0; i < COUNT_OF(over); i++) {
		if (strcmp(phase, over[i]) == 0)
			return true;
	}
	return false;
}

static bool is_waiting(const char *phase)
{
	return !*phase || strcmp(phase, "planned") == 0;
}

/* How far the copy is: "12.00MiB of 48.00MiB, 6.00MiB/s, 6s left"; "" where nothing is known. */
static char *transfer_of(struct json_object *step)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	int64_t done = jv_number(step, "bytes_done"), total = jv_number(step, "bytes");
	int64_t rate = (int64_t)number(step, "rate");
	double eta = number(step, "eta");

	if (done > 0 || rate > 0) {
		scoped_free char *a = output_size_iec(done), *z = output_size_iec(total);

		if (total > 0 && done > 0)
			strbuf_addf(&b, "%s of %s", a, z);
		else
			strbuf_add(&b, total > 0 ? z : a);
	}
	if (rate > 0) {
		scoped_free char *r = output_size_iec(rate);

		strbuf_addf(&b, "%s%s/s", b.size ? ", " : "", r);
	}
	if (eta > 0) {
		scoped_free char *left = duration(eta);

		strbuf_addf(&b, "%s%s left", b.size ? ", " : "", left);
	}
	return strbuf_take(&b);
}

static char *line_of(struct json_object *step, int width, bool with_transfer)
{
	scoped_free char *instance = instance_of(step), *route = route_of(step);
	const char *phase = *text(step, "phase") ? text(step, "phase") : "planned";
	scoped_free char *transfer =
		with_transfer && !is_over(phase) ? transfer_of(step) : xstrdup("");
	const char *why = strcmp(phase, "skipped") == 0 ? text(step, "reason") : "";
	const char *note = *text(step, "error") ? text(step, "error") : why;

	char *line = xasprintf("%-*s  %-12s  %-14s  %-9s%s%s%s%s", width, instance, route,
	                       text(step, "mode"), phase, *transfer ? "  " : "", transfer,
	                       *note ? "  " : "", note);
	for (size_t len = strlen(line); len && line[len - 1] == ' '; len--)
		line[len - 1] = '\0';
	return line;
}

static int name_width(struct json_object *steps)
{
	size_t width = 0;

	for (size_t i = 0; i < jv_len(steps); i++) {
		scoped_free char *name = instance_of(jv_item(steps, i));

		width = strlen(name) > width ? strlen(name) : width;
	}
	return (int)width;
}

/* A line for each step whose phase or error has changed. */
static void print_changes(struct plan_view *view, struct json_object *steps)
{
	int width = name_width(steps);

	for (size_t i = 0; i < jv_len(steps); i++) {
		struct json_object *s = jv_item(steps, i);
		scoped_free char *key = xasprintf("%s/%s", text(s, "project"), text(s, "instance"));
		char *line = line_of(s, width, false);
		const char *before = map_get(view->shown, key);

		if (is_waiting(text(s, "phase")) || str_equals(before, line)) {
			free(line);
			continue;
		}
		fprintf(view->out, "%s\n", line);
		map_set(view->shown, key, line);
	}
	fflush(view->out);
}

/* Those at work first, then those that failed, those that are done, those that wait. */
static int urgency(struct json_object *step)
{
	const char *phase = text(step, "phase");

	if (is_waiting(phase))
		return 3;
	if (strcmp(phase, "failed") == 0 || strcmp(phase, "undone") == 0)
		return 1;
	return is_over(phase) ? 2 : 0;
}

/* Where not all steps fit on the screen, which ones: the 'n' most urgent, in their order. */
static bool *choose(struct json_object *steps, size_t n)
{
	size_t n_steps = jv_len(steps);
	bool *chosen = xcalloc(n_steps + 1, sizeof(*chosen));

	for (int level = 0; level <= 3; level++) {
		for (size_t i = 0; i < n_steps && n; i++) {
			if (urgency(jv_item(steps, i)) != level)
				continue;
			chosen[i] = true;
			n--;
		}
	}
	return chosen;
}

/* "3 of 12 done, 1 failed"; the counts are beside the plan or inside it. */
static void print_counts(struct json_object *metadata, FILE *out)
{
	struct json_object *plan = jv_member(metadata, "plan");
	struct json_object *counts = jv_member(metadata, "counts");
	static const char *const others[] = { "failed", "skipped" };

	if (!counts)
		counts = jv_member(plan, "counts");
	fprintf(out, "%lld of %lld done", (long long)jv_number(counts, "done"),
	        (long long)jv_number(counts, "total"));
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (jv_number(counts, others[i]))
			fprintf(out, ", %lld %s", (long long)jv_number(counts, others[i]),
			        others[i]);
	}
	if (jv_number(plan, "bytes_done") > 0) {
		scoped_free char *done_size = output_size_iec(jv_number(plan, "bytes_done"));
		scoped_free char *all = output_size_iec(jv_number(plan, "bytes"));

		fprintf(out, ", %s of %s", done_size, all);
	}
}

static void draw(struct plan_view *view, struct json_object *metadata, struct json_object *steps,
                 unsigned columns, unsigned rows)
{
	size_t room = rows > 3 ? rows - 2 : 1;
	scoped_free bool *chosen = choose(steps, room);
	int width = name_width(steps);
	unsigned drawn = 0;

	if (view->n_drawn)
		fprintf(view->out, "\033[%uA", view->n_drawn);
	for (size_t i = 0; i < jv_len(steps); i++) {
		scoped_free char *line = line_of(jv_item(steps, i), width, true);

		if (!chosen[i])
			continue;
		fprintf(view->out, "\r%.*s\033[K\n", (int)columns - 1, line);
		drawn++;
	}
	fputc('\r', view->out);
	print_counts(metadata, view->out);
	scoped_free char *left = duration(number(jv_member(metadata, "plan"), "eta_seconds"));
	fprintf(view->out, "%s%s%s\033[K\n", *left ? ", about " : "", left, *left ? " left" : "");
	view->n_drawn = drawn + 1;
	fflush(view->out);
}

/* Servers without plans only tell what they are doing. */
static void print_text(struct plan_view *view, const char *progress)
{
	if (str_is_empty(progress) || str_equals(view->last_text, progress))
		return;
	free(view->last_text);
	view->last_text = xstrdup(progress);
	fprintf(view->out, "%s\n", progress);
	fflush(view->out);
}

void plan_view_update(struct plan_view *view, struct json_object *metadata, unsigned columns,
                      unsigned rows)
{
	struct json_object *steps = jv_member(jv_member(metadata, "plan"), "steps");

	if (!steps)
		print_text(view, jv_text(metadata, "evacuation_progress"));
	else if (view->is_terminal)
		draw(view, metadata, steps, columns, rows);
	else
		print_changes(view, steps);
}

void plan_view_finish(struct plan_view *view, struct json_object *metadata, double seconds)
{
	scoped_free char *time = duration(seconds);

	if (!jv_member(metadata, "plan"))
		return;
	/* The last drawing has the totals already. */
	if (view->n_drawn)
		fputs("\033[A\r", view->out);
	print_counts(metadata, view->out);
	fprintf(view->out, "%s%s%s\n", *time ? " in " : "", time, view->n_drawn ? "\033[K" : "");
	fflush(view->out);
}
