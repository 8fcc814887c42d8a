#include "drivers/instance/ct/ct_seccomp.h"

#include <errno.h>
#include <string.h>

#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

/* What no container needs, as liblxc's own default and LXD's have it: ENOSYS sends programs another
 * way. */
static const char *const denied[] = {
	"kexec_load",  "kexec_file_load", "open_by_handle_at",
	"init_module", "finit_module",    "delete_module",
};

/* "name", "name errno N", "name kill": nothing else is needed here. */
static bool is_rule(const char *line)
{
	scoped(strv_freep) char **words = strv_split_trimmed(line, ' ');
	size_t n = strv_len(words);
	int number;

	if (n == 0 || !str_is_made_of(words[0], "abcdefghijklmnopqrstuvwxyz0123456789_"))
		return false;
	if (n == 1)
		return true;
	if (n == 2)
		return str_equals(words[1], "kill") || str_equals(words[1], "allow");
	return n == 3 && str_equals(words[1], "errno") && parse_int(words[2], &number) == 0 &&
	       number >= 0 && number < 4096;
}

int ct_seccomp_check_list(const char *value, struct error **err)
{
	scoped(strv_freep) char **lines = strv_split_trimmed(value, '\n');

	STRV_FOREACH (line, lines) {
		if (!is_rule(line))
			return error_set(err, 400, "Invalid system call rule \"%s\"", line);
	}

	return 0;
}

static void add_rules(struct strbuf *text, const char *value, const char *action)
{
	scoped(strv_freep) char **lines = strv_split_trimmed(value, '\n');

	STRV_FOREACH (line, lines) {
		strbuf_add(text, line);
		if (!strchr(line, ' '))
			strbuf_add(text, action);
		strbuf_add_char(text, '\n');
	}
}

/* A key, or the word for it that older clients say. */
static const char *either(const struct smap *config, const char *key, const char *older)
{
	const char *value = smap_get_or(config, key, NULL);

	return value ? value : smap_get_or(config, older, NULL);
}

int ct_seccomp_policy(const struct smap *config, struct strbuf *ret_text, struct error **err)
{
	const char *raw = smap_get_or(config, "raw.seccomp", NULL);
	const char *allow =
		either(config, "security.syscalls.allow", "security.syscalls.whitelist");
	const char *deny = either(config, "security.syscalls.deny", "security.syscalls.blacklist");
	bool deny_default = !parse_is_false(either(config, "security.syscalls.deny_default",
	                                           "security.syscalls.blacklist_default"));

	if (parse_is_true(either(config, "security.syscalls.deny_compat",
	                         "security.syscalls.blacklist_compat")))
		return error_set(err, 400, "\"security.syscalls.deny_compat\" is not supported");
	if (raw) {
		strbuf_add(ret_text, raw);
		if (!str_ends(raw, "\n"))
			strbuf_add_char(ret_text, '\n');
		return 0;
	}

	int r = allow ? ct_seccomp_check_list(allow, err) : 0;
	if (r == 0 && deny)
		r = ct_seccomp_check_list(deny, err);
	if (r < 0)
		return r;

	if (allow) {
		strbuf_add(ret_text, "2\nallowlist\n[all]\n");
		add_rules(ret_text, allow, "");
		return 0;
	}
	if (!deny_default && !deny)
		return 0;

	strbuf_add(ret_text, "2\ndenylist\n");
	if (deny_default) {
		strbuf_add(ret_text, "reject_force_umount\n[all]\n");
		for (size_t i = 0; i < COUNT_OF(denied); i++)
			strbuf_addf(ret_text, "%s errno 38\n", denied[i]);
	} else {
		strbuf_add(ret_text, "[all]\n");
	}
	if (deny)
		add_rules(ret_text, deny, " errno 38");
	return 0;
}
