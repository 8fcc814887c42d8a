#include "client/complete.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* Where the URLs of a kind are. */
struct source {
	enum word_kind kind;
	const char *path;
};

/* clang-format off */
static const struct source sources[] = {
	{ WORD_INSTANCE,    "/1.0/instances" },
	{ WORD_IMAGE,       "/1.0/images/aliases" },
	{ WORD_PROFILE,     "/1.0/profiles" },
	{ WORD_PROJECT,     "/1.0/projects" },
	{ WORD_POOL,        "/1.0/storage-pools" },
	{ WORD_MEMBER,      "/1.0/cluster/members" },
	{ WORD_GROUP,       "/1.0/cluster/groups" },
	{ WORD_PLACEMENT,   "/1.0/placement-groups" },
	{ WORD_OPERATION,   "/1.0/operations" },
	{ WORD_PLAN,        "/1.0/cluster/plans" },
	{ WORD_WARNING,     "/1.0/warnings" },
	{ WORD_CERTIFICATE, "/1.0/certificates" },
};

static const char *const formats[] = { "compact", "csv", "json", "table", "yaml", NULL };
/* clang-format on */

static void print_remotes(struct client *client, const char *prefix, FILE *out)
{
	JV_FOREACH (remotes_all(client->remotes), name, remote) {
		if (str_starts(name, prefix))
			fprintf(out, "%s:\t%s\n", name, str_or_empty(jv_text(remote, "addr")));
	}
}

static void print_url(const char *url, const char *remote, const char *prefix, FILE *out)
{
	scoped_free char *name = NULL;
	const char *slash = url ? strrchr(url, '/') : NULL;

	if (!slash || url_decode(slash + 1, strcspn(slash + 1, "?"), false, &name) < 0)
		return;
	if (str_starts(name, prefix))
		fprintf(out, "%s%s\n", remote, name);
}

/* Operations come by status, all else as one list. */
static void print_urls(struct json_object *list, const char *remote, const char *prefix, FILE *out)
{
	JV_FOREACH (json_object_is_type(list, json_type_object) ? list : NULL, status, part) {
		(void)status;
		for (size_t i = 0; i < jv_len(part); i++)
			print_url(jv_string(jv_item(part, i)), remote, prefix, out);
	}
	for (size_t i = 0; json_object_is_type(list, json_type_array) && i < jv_len(list); i++)
		print_url(jv_string(jv_item(list, i)), remote, prefix, out);
}

static void print_names(struct client *client, const char *path, const char *word, FILE *out)
{
	scoped(error_freep) struct error *err = NULL;
	struct server *server;
	const char *name;
	struct server_answer answer;

	if (client_server(client, word, &server, &name, &err) < 0)
		return;
	scoped_free char *full = server_collection_path(server, path + strlen("/1.0/"));
	scoped_free char *remote = xasprintf("%.*s", (int)(name - word), word);
	if (server_call(server, &(struct server_call){ 0 }, full, &answer, &err) < 0)
		return;
	print_urls(jv_member(answer.envelope, "metadata"), remote, name, out);
	server_answer_done(&answer);
}

static void print_kind(struct client *client, enum word_kind kind, const char *word, FILE *out)
{
	if (kind == WORD_FORMAT) {
		for (size_t i = 0; formats[i]; i++) {
			if (str_starts(formats[i], word))
				fprintf(out, "%s\n", formats[i]);
		}
		return;
	}
	if (kind == WORD_REMOTE) {
		print_remotes(client, word, out);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		if (sources[i].kind != kind)
			continue;
		print_names(client, sources[i].path, word, out);
		/* Other servers only where there are any. */
		if (!strchr(word, ':') &&
		    json_object_object_length(remotes_all(client->remotes)) > 1)
			print_remotes(client, word, out);
	}
}

static void print_options(const struct cli_option *table, const char *word, FILE *out)
{
	for (const struct cli_option *o = table; o && o->name; o++) {
		if (str_starts(o->name, word + (word[1] == '-' ? 2 : 1)))
			fprintf(out, "--%s\t%s\n", o->name, o->doc);
	}
}

/* The commands that come right below 'path'. Returns whether there are any. */
static bool print_commands(const char *path, const char *word, FILE *out)
{
	size_t len = strlen(path);
	bool any = false;

	for (const struct cli_command *const *t = cli_tables; *t; t++) {
		for (const struct cli_command *c = *t; c->path; c++) {
			const char *rest = c->path + len + (len != 0);

			if (c->hidden || strncmp(c->path, path, len) != 0 ||
			    (len && c->path[len] != ' ') || strchr(rest, ' '))
				continue;
			any = true;
			if (str_starts(rest, word))
				fprintf(out, "%s\t%s\n", rest, c->summary);
		}
	}
	return any;
}

static const struct cli_option *option_of(const struct cli_command *command, const char *word)
{
	const struct cli_option *tables[] = { command ? command->options : NULL,
		                              cli_global_options };

	for (size_t i = 0; i < COUNT_OF(tables); i++) {
		for (const struct cli_option *o = tables[i]; o && o->name; o++) {
			bool is_long = word[1] == '-';

			if (is_long ? strcmp(o->name, word + 2) == 0
			            : o->letter == word[strlen(word) - 1])
				return o;
		}
	}
	return NULL;
}

static bool takes_value(const struct cli_option *o)
{
	return o && (o->type == OPTION_TEXT || o->type == OPTION_LIST);
}

/* What the n-th positional argument names. */
static enum word_kind kind_of(const struct cli_command *command, size_t n)
{
	for (size_t i = n < 3 ? n : 2;; i--) {
		if (command->kinds[i] != WORD_NONE || i == n || i == 0)
			return command->kinds[i];
	}
}

void complete_print(struct client *client, const char *const *words, FILE *out)
{
	size_t n = strv_len((char *const *)words), n_plain = 0, taken = 0;
	scoped_free const char **plain = xcalloc(n + 1, sizeof(*plain));
	const struct cli_command *command = NULL;
	const struct cli_option *pending = NULL;

	if (!n)
		return;
	for (size_t i = 0; i + 1 < n; i++) {
		const char *w = words[i];

		if (pending) {
			if (strcmp(pending->name, "project") == 0)
				client->project = w;
			pending = NULL;
		} else if (w[0] == '-' && w[1]) {
			const struct cli_option *o = option_of(command, w);

			pending = takes_value(o) && !strchr(w, '=') ? o : NULL;
		} else {
			plain[n_plain++] = w;
			command = cli_find(plain, n_plain, &taken);
		}
	}
	const char *word = words[n - 1];
	if (pending) {
		print_kind(client, pending->kind, word, out);
	} else if (word[0] == '-') {
		print_options(command ? command->options : NULL, word, out);
		print_options(cli_global_options, word, out);
	} else if (n_plain > taken || !print_commands(command ? command->path : "", word, out)) {
		if (command && command->run && n_plain - taken < command->max_words)
			print_kind(client, kind_of(command, n_plain - taken), word, out);
	}
}
