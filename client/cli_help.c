#include "client/cli_help.h"

#include <string.h>

#include "lib/base/macro.h"

#define PROGRAM "muster"

/* Commands that help does not list unless asked for all of them, as in lxc. */
static bool is_rare(const struct cli_command *c)
{
	static const char *const rare[] = { "init",  "monitor", "pause",
		                            "query", "manpage", "completion" };

	for (size_t i = 0; i < COUNT_OF(rare); i++) {
		if (strcmp(c->path, rare[i]) == 0)
			return true;
	}
	return false;
}

/* What is left of a path below 'parent' if it is one word only; else NULL. */
static const char *child_word(const struct cli_command *c, const char *parent)
{
	size_t len = strlen(parent);

	if (strncmp(c->path, parent, len) != 0 || (len && c->path[len] != ' '))
		return NULL;
	const char *rest = c->path + len + (len != 0);

	return *rest && !strchr(rest, ' ') ? rest : NULL;
}

static bool has_children(const char *path)
{
	for (const struct cli_command *const *t = cli_tables; *t; t++) {
		for (const struct cli_command *c = *t; c->path; c++) {
			if (!c->hidden && child_word(c, path))
				return true;
		}
	}
	return false;
}

/* Children in alphabetical order; the tables are in no particular one. */
static const struct cli_command *next_child(const char *parent, const struct cli_command *after)
{
	const struct cli_command *best = NULL;

	for (const struct cli_command *const *t = cli_tables; *t; t++) {
		for (const struct cli_command *c = *t; c->path; c++) {
			if (c->hidden || !child_word(c, parent))
				continue;
			if (after && strcmp(c->path, after->path) <= 0)
				continue;
			if (!best || strcmp(c->path, best->path) < 0)
				best = c;
		}
	}
	return best;
}

static void print_indented(FILE *out, const char *text, const char *indent)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		if (n)
			fprintf(out, "%s%.*s", indent, (int)n, p);
		fputc('\n', out);
		p += n;
		p += *p == '\n';
	}
}

static int option_width(const struct cli_option *o)
{
	int width = (int)strlen(o->name);

	if (o->type == OPTION_OPTIONAL)
		width += (int)strlen(o->fallback) + 5;
	return width;
}

static void print_options(FILE *out, const char *title, const struct cli_option *options)
{
	int width = 0;

	if (!options || !options->name)
		return;
	for (const struct cli_option *o = options; o->name; o++) {
		if (option_width(o) > width)
			width = option_width(o);
	}
	fprintf(out, "\n%s:\n", title);
	for (const struct cli_option *o = options; o->name; o++) {
		char letter[] = "    ";

		if (o->letter)
			memcpy(letter, (char[]){ '-', o->letter, ',', ' ' }, 4);
		fprintf(out, "  %s--%s", letter, o->name);
		if (o->type == OPTION_OPTIONAL)
			fprintf(out, "[=\"%s\"]", o->fallback);
		fprintf(out, "%*s   %s", width - option_width(o), "", o->doc);
		if (o->fallback && o->type != OPTION_OPTIONAL)
			fprintf(out, " (default \"%s\")", o->fallback);
		fputc('\n', out);
	}
}

static void print_children(FILE *out, const char *path, bool all, int depth)
{
	for (const struct cli_command *c = NULL; (c = next_child(path, c));) {
		if (is_rare(c) && !all)
			continue;
		fprintf(out, "%*s%-*s %s\n", 2 + 2 * depth, "", 14 - 2 * depth, child_word(c, path),
		        c->summary);
		if (all && depth < 2)
			print_children(out, c->path, true, depth + 1);
	}
}

void cli_help_print(FILE *out, const struct cli_command *command, bool all)
{
	const char *path = command ? command->path : "";
	const char *space = command ? " " : "";
	bool group = has_children(path);

	fputs("Description:\n  ", out);
	fputs(command ? command->summary : "Command line client of Muster", out);
	fputc('\n', out);
	if (command && command->details) {
		fputc('\n', out);
		print_indented(out, command->details, "  ");
	}
	fputs("\nUsage:\n", out);
	if (command && command->run)
		fprintf(out, "  " PROGRAM " %s %s%s[flags]\n", path, command->usage,
		        *command->usage ? " " : "");
	if (group)
		fprintf(out, "  " PROGRAM "%s%s [command]\n", space, path);
	if (command && command->aliases)
		fprintf(out, "\nAliases:\n  %s, %s\n",
		        strrchr(path, ' ') ? strrchr(path, ' ') + 1 : path, command->aliases);
	if (group) {
		fputs("\nAvailable Commands:\n", out);
		print_children(out, path, all, 0);
	}
	if (command)
		print_options(out, "Flags", command->options);
	print_options(out, command ? "Global Flags" : "Flags", cli_global_options);
	if (group)
		fprintf(out,
		        "\nUse \"" PROGRAM "%s%s [command] --help\" for more about a command.\n",
		        space, path);
}

/* Text for roff: a backslash, and a dot or a quote in the first column, would be markup. */
static void print_roff(FILE *out, const char *text)
{
	bool start = true;

	for (const char *p = text; *p; p++) {
		if (start && (*p == '.' || *p == '\''))
			fputs("\\&", out);
		if (*p == '\\' || *p == '-')
			fputc('\\', out);
		if (*p == '\\')
			fputc('e', out);
		else
			fputc(*p, out);
		start = *p == '\n';
	}
}

static void man_options(FILE *out, const char *title, const struct cli_option *options)
{
	if (!options || !options->name)
		return;
	fprintf(out, ".SH %s\n", title);
	for (const struct cli_option *o = options; o->name; o++) {
		fputs(".TP\n\\fB", out);
		if (o->letter)
			fprintf(out, "\\-%c\\fR, \\fB", o->letter);
		fputs("\\-\\-", out);
		print_roff(out, o->name);
		fputs("\\fR", out);
		if (o->type == OPTION_TEXT || o->type == OPTION_LIST)
			fputs(" \\fIvalue\\fR", out);
		fputc('\n', out);
		print_roff(out, o->doc);
		if (o->fallback && *o->fallback) {
			fputs(" (", out);
			print_roff(out, o->fallback);
			fputs(" by default)", out);
		}
		fputs(".\n", out);
	}
}

void cli_help_man(FILE *out, const struct cli_command *command)
{
	const char *path = command ? command->path : "";

	fputs(".TH \"" PROGRAM, out);
	for (const char *p = path; *p; p++) {
		if (p == path)
			fputc('-', out);
		fputc(*p == ' ' ? '-' : *p, out);
	}
	fputs("\" 1\n.SH NAME\n" PROGRAM, out);
	fprintf(out, "%s%s \\- ", *path ? " " : "", path);
	print_roff(out, command ? command->summary : "command line client of Muster");
	fputs("\n.SH SYNOPSIS\n\\fB" PROGRAM, out);
	fprintf(out, "%s%s\\fR ", *path ? " " : "", path);
	print_roff(out, command && command->run ? command->usage : "[command]");
	fputs(" [flags]\n", out);
	if (command && command->details) {
		fputs(".SH DESCRIPTION\n.nf\n", out);
		print_roff(out, command->details);
		fputs("\n.fi\n", out);
	}
	if (has_children(path)) {
		fputs(".SH COMMANDS\n", out);
		for (const struct cli_command *c = NULL; (c = next_child(path, c));) {
			fprintf(out, ".TP\n\\fB%s\\fR\n", child_word(c, path));
			print_roff(out, c->summary);
			fputs(".\n", out);
		}
	}
	man_options(out, "OPTIONS", command ? command->options : NULL);
	man_options(out, "GLOBAL OPTIONS", cli_global_options);
}

static void markdown_options(FILE *out, const struct cli_option *options)
{
	for (const struct cli_option *o = options; o && o->name; o++) {
		fputs("- `", out);
		if (o->letter)
			fprintf(out, "-%c`, `", o->letter);
		fprintf(out, "--%s`: %s", o->name, o->doc);
		if (o->fallback && *o->fallback)
			fprintf(out, " (`%s` by default)", o->fallback);
		fputs(".\n", out);
	}
}

static void markdown_below(FILE *out, const char *parent)
{
	for (const struct cli_command *c = NULL; (c = next_child(parent, c));) {
		fprintf(out, "\n## " PROGRAM " %s\n\n%s.\n", c->path, c->summary);
		if (c->run)
			fprintf(out, "\n    " PROGRAM " %s%s%s\n", c->path, *c->usage ? " " : "",
			        c->usage);
		if (c->aliases)
			fprintf(out, "\nAlso called: %s.\n", c->aliases);
		if (c->details) {
			fputs("\n", out);
			print_indented(out, c->details, "    ");
		}
		if (c->options && c->options->name) {
			fputc('\n', out);
			markdown_options(out, c->options);
		}
		markdown_below(out, c->path);
	}
}

void cli_help_markdown(FILE *out)
{
	fputs("# The muster command\n\nMade from the command tables by `muster manpage --format md`; do "
	      "not edit.\n\nEvery command takes:\n\n",
	      out);
	markdown_options(out, cli_global_options);
	markdown_below(out, "");
}
