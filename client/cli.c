#include "client/cli.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/macro.h"

/* clang-format off */
const struct cli_option cli_global_options[] = {
	{ "debug",        0,   OPTION_FLAG, NULL, "Show every request and answer", WORD_NONE },
	{ "force-local",  0,   OPTION_FLAG, NULL, "Use the local unix socket whatever the default remote is", WORD_NONE },
	{ "help",         'h', OPTION_FLAG, NULL, "Print help", WORD_NONE },
	{ "project",      0,   OPTION_TEXT, NULL, "Project to work in", WORD_PROJECT },
	{ "quiet",        'q', OPTION_FLAG, NULL, "Show no progress", WORD_NONE },
	{ "sub-commands", 0,   OPTION_FLAG, NULL, "With help: list the commands below this one as well", WORD_NONE },
	{ "verbose",      'v', OPTION_FLAG, NULL, "Say more of what is done", WORD_NONE },
	{ "version",      0,   OPTION_FLAG, NULL, "Print the version of the client", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

#define FOR_EACH_COMMAND(c)                                            \
	for (const struct cli_command *const *t = cli_tables; *t; t++) \
		for (const struct cli_command *c = *t; c->path; c++)

/* The number of words in a path; "" has none. */
static size_t path_n_words(const char *path)
{
	size_t n = *path != '\0';

	for (const char *p = path; *p; p++)
		n += *p == ' ';
	return n;
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && strncmp(p, word, n) == 0)
			return true;
		p += n;
		p += *p == ' ';
	}
	return false;
}

/* Whether the first words are this command's, of which the last may be one of its aliases. */
static bool path_matches(const struct cli_command *c, const char *const *words, size_t n_words)
{
	const char *p = c->path;

	for (size_t i = 0; *p; i++) {
		size_t n = strcspn(p, " ");
		bool last = p[n] == '\0';

		if (i >= n_words)
			return false;
		bool same = strlen(words[i]) == n && strncmp(p, words[i], n) == 0;
		if (!same && !(last && list_has(c->aliases, words[i])))
			return false;
		p += n + !last;
	}
	return true;
}

const struct cli_command *cli_find(const char *const *words, size_t n_words, size_t *ret_taken)
{
	const struct cli_command *best = NULL;
	size_t most = 0;

	FOR_EACH_COMMAND(c)
	{
		size_t n = path_n_words(c->path);

		if (n > most && path_matches(c, words, n_words)) {
			best = c;
			most = n;
		}
	}
	*ret_taken = most;
	return best;
}

const struct cli_command *cli_lookup(const char *path)
{
	FOR_EACH_COMMAND(c)
	{
		if (strcmp(c->path, path) == 0)
			return c;
	}
	return NULL;
}

static const struct cli_option *option_in(const struct cli_option *table, const char *name,
                                          size_t len, char letter)
{
	for (const struct cli_option *o = table; o && o->name; o++) {
		if (name ? strlen(o->name) == len && strncmp(o->name, name, len) == 0
		         : o->letter == letter)
			return o;
	}
	return NULL;
}

static const struct cli_option *option_find(const struct cli_command *command, const char *name,
                                            size_t len, char letter)
{
	const struct cli_option *o =
		option_in(command ? command->options : NULL, name, len, letter);

	return o ? o : option_in(cli_global_options, name, len, letter);
}

static void value_add(struct cli *args, const struct cli_option *option, const char *text)
{
	args->values[args->n_values++] = (struct cli_value){ option, text };
}

/* An option in its long form, without the dashes. Returns how many further words it took. */
static int parse_long(const char *name, const char *next, struct cli *args, struct error **err)
{
	size_t len = strcspn(name, "=");
	const struct cli_option *o = option_find(args->command, name, len, 0);

	if (!o || !len)
		return error_set(err, 400, "unknown flag: --%.*s", (int)len, name);
	if (name[len] == '=') {
		value_add(args, o, name + len + 1);
		return 0;
	}
	if (o->type == OPTION_FLAG || o->type == OPTION_OPTIONAL) {
		value_add(args, o, o->type == OPTION_FLAG ? "true" : o->fallback);
		return 0;
	}
	if (!next)
		return error_set(err, 400, "flag needs an argument: --%s", name);
	value_add(args, o, next);
	return 1;
}

/* One or more letters after a single dash. Returns how many further words they took. */
static int parse_short(const char *letters, const char *next, struct cli *args, struct error **err)
{
	for (const char *p = letters; *p; p++) {
		const struct cli_option *o = option_find(args->command, NULL, 0, *p);

		if (!o)
			return error_set(err, 400, "unknown shorthand flag: '%c' in -%s", *p,
			                 letters);
		if (o->type == OPTION_FLAG) {
			value_add(args, o, "true");
			continue;
		}
		if (p[1] == '=') {
			value_add(args, o, p + 2);
			return 0;
		}
		if (p[1]) {
			value_add(args, o, p + 1);
			return 0;
		}
		if (!next)
			return error_set(err, 400, "flag needs an argument: '%c' in -%s", *p,
			                 letters);
		value_add(args, o, next);
		return 1;
	}
	return 0;
}

/*
 * The words that are no options, before it is known which command they name: the global options and
 * those of the command that has been found so far tell which words are values.
 */
static size_t leading_words(const char *const *argv, const char **words)
{
	const struct cli_command *command = NULL;
	size_t n = 0, taken;

	for (size_t i = 0; argv[i] && strcmp(argv[i], "--") != 0; i++) {
		const char *w = argv[i];

		if (w[0] != '-' || !w[1]) {
			words[n++] = w;
			command = cli_find(words, n, &taken);
			continue;
		}
		const struct cli_option *o =
			w[1] == '-' ? option_find(command, w + 2, strlen(w + 2), 0)
				    : option_find(command, NULL, 0, w[strlen(w) - 1]);
		if (o && (o->type == OPTION_TEXT || o->type == OPTION_LIST) && !strchr(w, '=') &&
		    argv[i + 1])
			i++;
	}
	return n;
}

/* All that follows the program's name, given the command that its first 'n_path' words name. */
static int parse_rest(const char *const *argv, size_t n_path, struct cli *args, struct error **err)
{
	bool dashes = false;

	for (size_t i = 0; argv[i]; i++) {
		const char *w = argv[i];

		if (!dashes && strcmp(w, "--") == 0) {
			dashes = true;
			args->n_before_dashes = args->n_words;
			continue;
		}
		if (dashes || w[0] != '-' || !w[1]) {
			if (n_path)
				n_path--;
			else
				args->words[args->n_words++] = w;
			continue;
		}
		int r = w[1] == '-' ? parse_long(w + 2, argv[i + 1], args, err)
		                    : parse_short(w + 1, argv[i + 1], args, err);
		if (r < 0)
			return r;
		i += (size_t)r;
	}
	if (!dashes)
		args->n_before_dashes = args->n_words;
	return 0;
}

int cli_parse(const char *const *argv, struct cli *ret_cli, struct error **err)
{
	size_t n = 0, letters = 0, taken = 0;

	for (; argv[n]; n++)
		letters += strlen(argv[n]);

	struct cli args = {
		.words = xcalloc(n + 1, sizeof(*args.words)),
		.values = xcalloc(letters + n + 1, sizeof(*args.values)),
	};
	size_t n_leading = leading_words(argv, args.words);

	args.command = cli_find(args.words, n_leading, &taken);
	if (n_leading > taken && (!args.command || !args.command->run)) {
		int r = error_set(err, 400, "unknown command \"%s\" for \"muster%s%s\"",
		                  args.words[taken], taken ? " " : "",
		                  args.command ? args.command->path : "");
		cli_done(&args);
		return r;
	}
	int r = parse_rest(argv, taken, &args, err);
	if (r < 0) {
		cli_done(&args);
		return r;
	}
	args.words[args.n_words] = NULL;
	*ret_cli = args;
	return 0;
}

void cli_done(struct cli *args)
{
	free(args->words);
	free(args->values);
	*args = (struct cli){ 0 };
}

bool cli_words_fit(const struct cli *args)
{
	return args->n_words >= args->command->min_words &&
	       args->n_words <= args->command->max_words;
}

static bool is_named(const struct cli_value *v, const char *name)
{
	return strcmp(v->option->name, name) == 0;
}

const char *cli_option(const struct cli *args, const char *name)
{
	for (size_t i = args->n_values; i-- > 0;) {
		if (is_named(&args->values[i], name))
			return args->values[i].text;
	}
	const struct cli_option *o = option_find(args->command, name, strlen(name), 0);

	return o && o->type != OPTION_OPTIONAL ? o->fallback : NULL;
}

bool cli_flag(const struct cli *args, const char *name)
{
	const char *text = cli_option(args, name);

	return text &&
	       (strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "t") == 0);
}

bool cli_given(const struct cli *args, const char *name)
{
	for (size_t i = 0; i < args->n_values; i++) {
		if (is_named(&args->values[i], name))
			return true;
	}
	return false;
}

const char *cli_list(const struct cli *args, const char *name, size_t n)
{
	for (size_t i = 0; i < args->n_values; i++) {
		if (is_named(&args->values[i], name) && n-- == 0)
			return args->values[i].text;
	}
	return NULL;
}

const char *cli_word(const struct cli *args, size_t n)
{
	return n < args->n_words ? args->words[n] : NULL;
}
