#include "cluster/trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "db/certificates.h"
#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/x509.h"

#define FILE_MAX (16U << 20)

static char *file_path(struct cluster *cluster)
{
	return path_join(cluster->dir, "database", "trusted", NULL);
}

static bool is_fingerprint(const char *text)
{
	return text && strlen(text) == X509_FINGERPRINT_SIZE - 1 &&
	       str_is_made_of(text, "0123456789abcdef");
}

bool trust_is_member(struct cluster *cluster, const char *fingerprint)
{
	if (!is_fingerprint(fingerprint))
		return false;
	/* This member's own calls to itself. */
	if (strcmp(cluster->server->fingerprint, fingerprint) == 0)
		return true;

	mutex_lock(&cluster->lock);
	bool is_known = cluster->is_enabled && map_has(cluster->trusted, fingerprint);
	mutex_unlock(&cluster->lock);

	return is_known;
}

static struct map *map_of_strv(char *const *fingerprints)
{
	static char present;
	struct map *map = map_new(NULL);

	STRV_FOREACH (fingerprint, fingerprints) {
		if (is_fingerprint(fingerprint))
			map_set(map, fingerprint, &present);
	}

	return map;
}

/* Takes over what is trusted now. Returns whether that is news. */
static bool replace(struct cluster *cluster, char *const *fingerprints)
{
	struct map *map = map_of_strv(fingerprints);

	mutex_lock(&cluster->lock);
	struct map *old = cluster->trusted;
	bool is_news = map_count(old) != map_count(map);
	MAP_FOREACH (entry, map)
		is_news |= !map_has(old, entry->key);
	cluster->trusted = map;
	mutex_unlock(&cluster->lock);
	map_free(old);

	return is_news;
}

static void store(struct cluster *cluster, char *const *fingerprints)
{
	scoped_free char *path = file_path(cluster);
	scoped_free char *text = strv_join(fingerprints, "\n");

	int r = file_replace(path, text, strlen(text), 0600);
	if (r < 0)
		log_warn("Failed writing \"%s\": %s", path, strerror(-r));
}

int trust_load(struct cluster *cluster, struct error **err)
{
	scoped_free char *path = file_path(cluster);
	scoped_free char *text = NULL;

	int r = file_read(path, FILE_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", path);

	scoped(strv_freep) char **fingerprints = strv_split_trimmed(text, '\n');
	(void)replace(cluster, fingerprints);
	return 0;
}

static int read_fingerprints(struct db_tx *tx, void *arg, struct error **err)
{
	char ***fingerprints = arg;
	scoped(db_certificate_list_done) struct db_certificates rows = { 0 };

	strv_free(TAKE_PTR(*fingerprints));
	int r = db_certificate_list(tx, &rows, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < rows.n; i++) {
		if (rows.rows[i].type == DB_CERTIFICATE_SERVER)
			strv_add(fingerprints, rows.rows[i].fingerprint);
	}

	return 0;
}

int trust_refresh(struct cluster *cluster, struct error **err)
{
	scoped(strv_freep) char **fingerprints = NULL;
	int r = db_read(cluster->db, read_fingerprints, &fingerprints, err);
	if (r < 0)
		return r;

	if (replace(cluster, fingerprints))
		store(cluster, fingerprints);
	return 0;
}

void trust_clear(struct cluster *cluster)
{
	(void)replace(cluster, NULL);
	cluster_unlink(cluster, "database/trusted");
}

int trust_remove(struct db_tx *tx, const char *name, struct error **err)
{
	scoped(db_certificate_list_done) struct db_certificates rows = { 0 };
	int r = db_certificate_list(tx, &rows, err);

	for (size_t i = 0; r >= 0 && i < rows.n; i++) {
		if (rows.rows[i].type == DB_CERTIFICATE_SERVER &&
		    str_equals(rows.rows[i].name, name))
			r = db_certificate_delete(tx, rows.rows[i].id, err);
	}

	return r;
}

int trust_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err)
{
	scoped(db_certificate_list_done) struct db_certificates rows = { 0 };
	int r = db_certificate_list(tx, &rows, err);

	for (size_t i = 0; r >= 0 && i < rows.n; i++) {
		struct db_certificate *row = &rows.rows[i];

		if (row->type != DB_CERTIFICATE_SERVER || !str_equals(row->name, name))
			continue;
		free(row->name);
		row->name = xstrdup(new_name);
		r = db_certificate_update(tx, row, err);
	}

	return r;
}

int trust_add(struct db_tx *tx, const char *name, const char *cert, struct error **err)
{
	scoped(x509_freep) struct x509 *parsed = NULL;
	scoped(db_certificate_list_done) struct db_certificates rows = { 0 };

	int r = x509_parse_pem(cert, strlen(cert), &parsed, err);
	if (r < 0)
		return r;
	r = db_certificate_list(tx, &rows, err);
	if (r < 0)
		return r;

	/* One row for a name and for a certificate: of a former life of that member, or as a
	 * client. */
	for (size_t i = 0; i < rows.n; i++) {
		const struct db_certificate *row = &rows.rows[i];
		bool is_same = str_equals(row->fingerprint, parsed->fingerprint);

		if (is_same || (row->type == DB_CERTIFICATE_SERVER && str_equals(row->name, name)))
			r = db_certificate_delete(tx, row->id, err);
		if (r < 0)
			return r;
	}

	const struct db_certificate row = { .fingerprint = parsed->fingerprint,
		                            .type = DB_CERTIFICATE_SERVER,
		                            .name = (char *)name,
		                            .description = (char *)"",
		                            .certificate = (char *)cert,
		                            .created = date_now() };
	int64_t id = 0;
	return db_certificate_create(tx, &row, &id, err);
}

struct json_object *trust_to_json(struct cluster *cluster)
{
	struct json_object *array = jv_array();

	mutex_lock(&cluster->lock);
	MAP_FOREACH (entry, cluster->trusted)
		jv_add_string(array, entry->key);
	mutex_unlock(&cluster->lock);

	return array;
}

void trust_of_json(struct cluster *cluster, struct json_object *fingerprints)
{
	scoped(strv_freep) char **list = NULL;

	for (size_t i = 0; i < jv_len(fingerprints); i++) {
		const char *fingerprint = jv_string(jv_item(fingerprints, i));

		if (is_fingerprint(fingerprint))
			strv_add(&list, fingerprint);
	}
	if (list && replace(cluster, list))
		store(cluster, list);
}
