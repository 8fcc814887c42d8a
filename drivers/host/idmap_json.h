/*
 * Id maps in the form of LXD's "volatile.idmap.*" and "volatile.last_state.idmap" keys:
 * [{"Isuid":true,"Isgid":false,"Hostid":1000000,"Nsid":0,"Maprange":1000000000},...]
 */
#pragma once

#include "lib/base/error.h"
#include "lib/linux/idmap.h"

/* NULL, "" and "[]" are the empty map. Fails with a 400. */
int idmap_json_parse(const char *text, struct idmap *ret_map, struct error **err);

/* "[]" for an empty map. Owned by the caller. */
char *idmap_json_format(const struct idmap *map);
