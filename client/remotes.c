#include "client/remotes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/yaml.h"

#define FILE_MAX (1U << 20)

struct remotes {
	char *dir;
	struct json_object *doc;
};

char *remotes_default_dir(void)
{
	const char *conf = getenv("MUSTER_CONF"), *home = getenv("HOME");

	if (conf && *conf)
		return xstrdup(conf);
	return path_join(home && *home ? home : "/root", ".config", "muster", NULL);
}

/* The member 'key' as an object, made if it is not there. */
static struct json_object *ensure_object(struct json_object *doc, const char *key)
{
	struct json_object *o = jv_member(doc, key);

	if (json_object_is_type(o, json_type_object))
		return o;
	o = jv_object();
	jv_set_take(doc, key, o);
	return o;
}

static void add_local(struct json_object *doc)
{
	struct json_object *all = ensure_object(doc, "remotes");
	struct json_object *local = jv_member(all, REMOTES_LOCAL);

	if (!json_object_is_type(local, json_type_object)) {
		local = jv_object();
		jv_set_string(local, "addr", "unix://");
		jv_set_bool(local, "public", false);
		jv_set_take(all, REMOTES_LOCAL, local);
	}
	if (str_is_empty(jv_text(doc, "default-remote")))
		jv_set_string(doc, "default-remote", REMOTES_LOCAL);
	ensure_object(doc, "aliases");
}

int remotes_load(const char *dir, struct remotes **ret_remotes, struct error **err)
{
	scoped(jv_unrefp) struct json_object *doc = NULL;
	scoped_free char *path = path_join(dir, "config.yml", NULL);
	scoped_free char *text = NULL;
	size_t size = 0;
	int r = file_read(path, FILE_MAX, &text, &size);

	if (r < 0 && r != -ENOENT)
		return error_set_errno(err, r, "Failed reading \"%s\"", path);
	if (r == 0 && yaml_decode(text, size, &doc, err) < 0)
		return error_wrap(err, "Failed reading \"%s\"", path);
	if (!doc)
		doc = jv_object();
	if (!json_object_is_type(doc, json_type_object))
		return error_set(err, 400, "\"%s\" is no list of remotes", path);
	add_local(doc);

	struct remotes *remotes = xcalloc(1, sizeof(*remotes));
	remotes->dir = xstrdup(dir);
	remotes->doc = TAKE_PTR(doc);
	*ret_remotes = remotes;
	return 0;
}

void remotes_free(struct remotes *remotes)
{
	if (!remotes)
		return;
	jv_unref(remotes->doc);
	free(remotes->dir);
	free(remotes);
}

int remotes_save(const struct remotes *remotes, struct error **err)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	scoped_free char *path = path_join(remotes->dir, "config.yml", NULL);
	int r = file_make_dirs(remotes->dir, 0750);

	if (r < 0)
		return error_set_errno(err, r, "Failed making \"%s\"", remotes->dir);
	yaml_encode(remotes->doc, &b);
	r = file_replace(path, strbuf_text(&b), b.size, 0600);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", path);
	return 0;
}

const char *remotes_dir(const struct remotes *remotes)
{
	return remotes->dir;
}

const char *remotes_default(const struct remotes *remotes)
{
	return jv_text(remotes->doc, "default-remote");
}

void remotes_set_default(struct remotes *remotes, const char *name)
{
	jv_set_string(remotes->doc, "default-remote", name);
}

struct json_object *remotes_all(const struct remotes *remotes)
{
	return jv_member(remotes->doc, "remotes");
}

struct json_object *remotes_get(const struct remotes *remotes, const char *name)
{
	struct json_object *o = jv_member(remotes_all(remotes), name);

	return json_object_is_type(o, json_type_object) ? o : NULL;
}

struct json_object *remotes_aliases(struct remotes *remotes)
{
	return jv_member(remotes->doc, "aliases");
}

void remotes_set_take(struct remotes *remotes, const char *name, struct json_object *remote)
{
	jv_set_take(remotes_all(remotes), name, remote);
}

void remotes_remove(struct remotes *remotes, const char *name)
{
	jv_unset(remotes_all(remotes), name);
}

int remotes_split(const struct remotes *remotes, const char *word, char **ret_name,
                  const char **ret_rest, struct error **err)
{
	const char *colon = strchr(word, ':');

	if (!colon) {
		*ret_name = xstrdup(remotes_default(remotes));
		*ret_rest = word;
		return 0;
	}
	scoped_free char *name = xasprintf("%.*s", (int)(colon - word), word);
	if (!remotes_get(remotes, name))
		return error_set(err, 404, "The remote \"%s\" does not exist", name);
	*ret_name = TAKE_PTR(name);
	*ret_rest = colon + 1;
	return 0;
}

char *remotes_certificate_path(const struct remotes *remotes, const char *name)
{
	scoped_free char *file = xasprintf("%s.crt", name);

	return path_join(remotes->dir, "servercerts", file, NULL);
}
