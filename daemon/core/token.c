#include "daemon/core/token.h"

#include "cluster/token_secret.h"
#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "db/db.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/random.h"
#include "lib/base/str.h"
#include "lib/base/uuid.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

/* The row's data holds what the operation shows: description, metadata, resources, requestor. */
static struct json_object *to_operation(struct state *state, const struct db_token *row)
{
	scoped(jv_unrefp) struct json_object *data = json_tokener_parse(row->data);
	struct json_object *o = jv_object();
	scoped_free char *secret = token_secret_take(state->cluster, data);
	/* The cluster writes its own rows, with nothing but the metadata. */
	bool is_join = row->kind == DB_TOKEN_JOIN;
	struct json_object *metadata = jv_copy(is_join ? data : jv_member(data, "metadata"));
	struct json_object *resources = jv_copy(jv_member(data, "resources"));
	struct json_object *who = jv_copy(jv_member(data, "requestor"));
	scoped_free char *member = state_member_name(state);

	if (!metadata)
		metadata = jv_object();
	jv_set_string(metadata, "secret", secret);
	if (row->expires > 0)
		jv_set_date(metadata, "expiresAt", row->expires);

	jv_set_string(o, "id", row->uuid);
	jv_set_string(o, "class", "token");
	jv_set_string(o, "description",
	              is_join ? "Cluster join token" : jv_text(data, "description"));
	jv_set_date(o, "created_at", row->created);
	jv_set_date(o, "updated_at", row->created);
	jv_set_string(o, "status", "Running");
	jv_set_int(o, "status_code", 103);
	jv_set_take(o, "resources", resources ? resources : jv_object());
	jv_set_take(o, "metadata", metadata);
	jv_set_bool(o, "may_cancel", true);
	jv_set_string(o, "err", "");
	jv_set_int(o, "err_code", 0);
	jv_set_int(o, "child_count", 0);
	jv_set_string(o, "location", member);
	if (who)
		jv_set_take(o, "requestor", who);

	return o;
}

static struct json_object *resources_of(const char *const *pairs)
{
	struct json_object *resources = jv_object();

	for (; pairs && *pairs; pairs += 2) {
		struct json_object *urls = jv_member(resources, pairs[0]);

		if (!urls) {
			urls = jv_array();
			jv_set_take(resources, pairs[0], urls);
		}
		jv_add_string(urls, pairs[1]);
	}

	return resources;
}

static int insert(struct db_tx *tx, void *arg, struct error **err)
{
	return db_token_create(tx, arg, err);
}

int token_create(struct request *req, const struct token_spec *spec, char **ret_url,
                 struct json_object **ret_operation, struct error **err)
{
	scoped(jv_unrefp) struct json_object *data = jv_object();
	char uuid[UUID_SIZE];
	int64_t now = date_now(), expires = 0;
	struct json_object *who = access_json(req->requestor);

	if (!str_is_empty(spec->expiry)) {
		int r = parse_expiry(spec->expiry, now, &expires);
		if (r < 0)
			return error_set(err, 400, "Invalid expiry \"%s\"", spec->expiry);
	}

	uuid_make(uuid);
	jv_set_string(data, "description", spec->description);
	jv_set_take(data, "metadata", spec->metadata ? jv_copy(spec->metadata) : jv_object());
	jv_set_take(data, "resources", resources_of(spec->resources));
	if (who)
		jv_set_take(data, "requestor", who);

	scoped_free char *secret = spec->secret ? xstrdup(spec->secret) : random_hex(32);
	token_secret_keep(req->state->cluster, data, secret);
	scoped_free char *text = jv_print_text(data, NULL);
	const struct db_token row = {
		.uuid = uuid,
		.kind = spec->kind,
		.name = (char *)str_or_empty(spec->name),
		.project = (char *)str_or_empty(spec->project),
		.secret = secret,
		.created = now,
		.expires = expires,
		.data = text,
	};

	int r = db_write(req->state->db, insert, (void *)&row, err);
	if (r < 0)
		return r;

	*ret_url = xasprintf("/1.0/operations/%s", uuid);
	*ret_operation = to_operation(req->state, &row);
	return 0;
}

struct use {
	int kind;
	const char *secret;
	const char *name;
	bool is_look; /* The row stays. */
	struct db_token row;
};

static int use(struct db_tx *tx, void *arg, struct error **err)
{
	struct use *u = arg;

	scoped(error_freep) struct error *cause = NULL;

	db_token_done(&u->row);
	u->row = (struct db_token){ 0 };
	int r = (u->is_look ? db_token_find : db_token_use)(
		tx, (enum db_token_kind)u->kind, u->secret, u->name, date_now(), &u->row, &cause);
	if (r == -ENOENT)
		return error_set(err, 403, "No matching token found");
	return r < 0 ? error_move(err, &cause) : 0;
}

static int find_or_use(struct state *state, struct use *u, struct json_object **ret_metadata,
                       struct error **err)
{
	int r = u->is_look ? db_query(state->db, use, u, err) : db_write(state->db, use, u, err);
	if (r == 0 && ret_metadata) {
		scoped(jv_unrefp) struct json_object *data = json_tokener_parse(u->row.data);

		*ret_metadata = jv_copy(jv_member(data, "metadata"));
	}
	db_token_done(&u->row);
	return r;
}

int token_use_in(struct db_tx *tx, int kind, const char *secret, const char *name,
                 struct error **err)
{
	struct use u = { .kind = kind, .secret = secret, .name = name };

	int r = use(tx, &u, err);
	db_token_done(&u.row);
	return r;
}

int token_use(struct state *state, int kind, const char *secret, const char *name,
              struct json_object **ret_metadata, struct error **err)
{
	struct use u = { .kind = kind, .secret = secret, .name = name };

	return find_or_use(state, &u, ret_metadata, err);
}

int token_look(struct state *state, int kind, const char *secret, const char *name,
               struct json_object **ret_metadata, struct error **err)
{
	struct use u = { .kind = kind, .secret = secret, .name = name, .is_look = true };

	return find_or_use(state, &u, ret_metadata, err);
}

static int list(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_tokens *rows = arg;

	db_token_list_done(rows);
	return db_token_list(tx, 0, rows, err);
}

int token_list(struct state *state, struct json_object **ret_operations, struct error **err)
{
	struct db_tokens rows = { 0 };
	int64_t now = date_now();

	int r = db_query(state->db, list, &rows, err);
	if (r < 0)
		return r;

	struct json_object *operations = jv_array();

	for (size_t i = 0; i < rows.n; i++) {
		if (rows.rows[i].expires == 0 || rows.rows[i].expires > now)
			jv_add_take(operations, to_operation(state, &rows.rows[i]));
	}
	db_token_list_done(&rows);
	*ret_operations = operations;
	return 0;
}

struct lookup {
	const char *id;
	struct db_token row;
};

static int get(struct db_tx *tx, void *arg, struct error **err)
{
	struct lookup *l = arg;

	db_token_done(&l->row);
	return db_token_get(tx, l->id, &l->row, err);
}

int token_get(struct state *state, const char *id, struct json_object **ret_operation,
              struct error **err)
{
	struct lookup l = { .id = id };
	scoped(error_freep) struct error *cause = NULL;

	int r = db_query(state->db, get, &l, &cause);
	if (r == -ENOENT || (r == 0 && l.row.expires > 0 && l.row.expires <= date_now())) {
		db_token_done(&l.row);
		return error_set(err, 404, "Operation not found");
	}
	if (r < 0) {
		*err = TAKE_PTR(cause);
		return r;
	}

	*ret_operation = to_operation(state, &l.row);
	db_token_done(&l.row);
	return 0;
}

static int cancel(struct db_tx *tx, void *arg, struct error **err)
{
	return db_token_delete(tx, arg, err);
}

int token_cancel(struct state *state, const char *id, struct error **err)
{
	return db_write(state->db, cancel, (void *)id, err);
}
