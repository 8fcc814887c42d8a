/* "muster completion", "manpage" and "help": what is made from the command tables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_help.h"
#include "client/commands.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

static const char bash_script[] =
	"_muster()\n"
	"{\n"
	"\tlocal IFS=$'\\n' cur words cword\n"
	"\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"\t\t_get_comp_words_by_ref -n : -w words -i cword -c cur\n"
	"\telse\n"
	"\t\twords=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}\n"
	"\tfi\n"
	"\tCOMPREPLY=($(muster __complete \"${words[@]:1:cword}\" 2>/dev/null | cut -f1))\n"
	"\tdeclare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions \"$cur\"\n"
	"\t[[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *: ]] && compopt -o nospace\n"
	"}\n"
	"complete -o default -F _muster muster\n";

static const char zsh_script[] =
	"#compdef muster\n"
	"_muster()\n"
	"{\n"
	"\tlocal -a found\n"
	"\tlocal line\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tline=${line//:/\\\\:}\n"
	"\t\tfound+=(\"${line/$'\\t'/:}\")\n"
	"\tdone < <(muster __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\tif (( ${#found} )); then\n"
	"\t\t_describe muster found\n"
	"\telse\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"compdef _muster muster\n";

static const char fish_script[] =
	"function __muster_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tmuster __complete $words[2..-1] (commandline -ct) 2>/dev/null\n"
	"end\n"
	"complete -c muster -a '(__muster_complete)'\n";

static int completion_run(struct client *client, const struct cli *cli, struct error **err)
{
	const char *shell = cli_word(cli, 0);

	(void)client;
	if (strcmp(shell, "bash") == 0)
		fputs(bash_script, stdout);
	else if (strcmp(shell, "zsh") == 0)
		fputs(zsh_script, stdout);
	else if (strcmp(shell, "fish") == 0)
		fputs(fish_script, stdout);
	else
		return error_set(err, 400, "No completion for \"%s\": use bash, zsh or fish",
		                 shell);
	return 0;
}

static int write_page(const char *dir, const struct cli_command *command, struct error **err)
{
	scoped_free char *name =
		xasprintf("muster%s%s.1", command ? " " : "", command ? command->path : "");
	scoped_free char *dashed = str_replace(name, " ", "-");
	scoped_free char *path = path_join(dir, dashed, NULL);
	FILE *out = fopen(path, "we");

	if (!out)
		return error_set_errno(err, -errno, "Failed making \"%s\"", path);
	cli_help_man(out, command);
	if (fclose(out) != 0)
		return error_set_errno(err, -errno, "Failed writing \"%s\"", path);
	return 0;
}

static int manpage_run(struct client *client, const struct cli *cli, struct error **err)
{
	const char *dir = cli_word(cli, 0), *format = cli_option(cli, "format");
	int r;

	(void)client;
	if (str_equals(format, "md")) {
		FILE *out = strcmp(dir, "-") == 0 ? stdout : fopen(dir, "we");

		if (!out)
			return error_set_errno(err, -errno, "Failed making \"%s\"", dir);
		cli_help_markdown(out);
		if (out != stdout && fclose(out) != 0)
			return error_set_errno(err, -errno, "Failed writing \"%s\"", dir);
		return 0;
	}
	if (!str_equals(format, "man"))
		return error_set(err, 400, "Invalid format \"%s\": use man or md", format);
	r = write_page(dir, NULL, err);
	for (const struct cli_command *const *t = cli_tables; *t && r == 0; t++) {
		for (const struct cli_command *c = *t; c->path && r == 0; c++)
			r = c->hidden ? 0 : write_page(dir, c, err);
	}
	return r;
}

static int help_run(struct client *client, const struct cli *cli, struct error **err)
{
	const struct cli_command *command;
	size_t taken;

	(void)client;
	command = cli_find(cli->words, cli->n_words, &taken);
	if (taken < cli->n_words)
		return error_set(err, 404, "Unknown help topic \"%s\"", cli_word(cli, taken));
	cli_help_print(stdout, command, cli_flag(cli, "all") || cli_flag(cli, "sub-commands"));
	return 0;
}

/* clang-format off */
static const struct cli_option help_options[] = {
	{ "all", 0, OPTION_FLAG, NULL, "Show all commands, and those below them", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option manpage_options[] = {
	{ "format", 'f', OPTION_TEXT, "man", "man for a directory of pages, md for one page", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_completion_commands[] = {
	{ .path = "completion",
	  .usage = "<bash|zsh|fish>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = completion_run,
	  .summary = "Print a script that completes command lines",
	  .details = "For bash:  source <(muster completion bash)" },
	{ .path = "manpage",
	  .usage = "<target>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = manpage_run,
	  .options = manpage_options,
	  .summary = "Write manual pages for all commands",
	  .kinds = { WORD_FILE } },
	{ .path = "help",
	  .usage = "[command]",
	  .max_words = CLI_ANY,
	  .run = help_run,
	  .options = help_options,
	  .summary = "Show help about any command" },
	{ .path = NULL },
};
