#include "daemon/instance/instance_text.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

static void free_text(struct db_derived *base)
{
	struct instance_text *text = CONTAINER_OF(base, struct instance_text, base);

	free(text->id);
	free(text->url);
	free(text);
}

static struct instance_text *make(const struct db_expanded *row)
{
	struct instance *inst = instance_of_row(NULL, row);
	scoped(jv_unrefp) struct json_object *head = jv_object();
	scoped(jv_unrefp) struct json_object *tail = jv_object();
	scoped(jv_unrefp) struct json_object *etag_source = instance_json_etag(&row->row);
	scoped_free char *etag = response_etag(etag_source);
	scoped(strbuf_done) struct strbuf b = { 0 };
	size_t gap;

	instance_json_add_head(inst, head);
	instance_json_add_tail(inst, tail);
	jv_print(head, &b);
	/* Its last brace becomes the comma before the gap, the first one of the tail that after. */
	b.text[b.size - 1] = ',';
	gap = b.size;
	jv_print(tail, &b);
	b.text[gap] = ',';

	struct instance_text *text = xcalloc(1, sizeof(*text) + b.size);
	text->base.free = free_text;
	text->id = TAKE_PTR(inst->id);
	text->url = TAKE_PTR(inst->url);
	str_copy(text->etag, sizeof(text->etag), etag);
	text->gap = gap;
	text->size = b.size;
	memcpy(text->text, b.text, b.size);
	instance_free(inst);
	return text;
}

const struct instance_text *instance_text_of(const struct db_expanded *row)
{
	struct db_derived *base = db_cache_derived(row);

	if (!base)
		base = db_cache_derive_take(row, &make(row)->base);
	return CONTAINER_OF(base, struct instance_text, base);
}

void instance_text_print(const struct instance_text *text, struct instance_status_name status,
                         struct strbuf *b)
{
	strbuf_add_n(b, text->text, text->gap);
	strbuf_addf(b, "\"status\":\"%s\",\"status_code\":%d", status.text, status.code);
	strbuf_add_n(b, text->text + text->gap, text->size - text->gap);
}

struct instance instance_text_handle(struct state *state, const struct db_expanded *row)
{
	const struct instance_text *text = instance_text_of(row);
	struct instance inst = { .state = state, .row = row, .id = text->id, .url = text->url };
	const char *type = instance_type_name(&inst);

	inst.driver = instance_driver_find(type);
	inst.engine = state->instances ? instance_engine(state, type) : NULL;
	return inst;
}
