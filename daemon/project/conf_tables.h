/* All tables of config keys that are there, for GET /1.0/metadata/configuration. */
#pragma once

struct conf_key;

struct conf_table {
	const char *entity; /* "instance", "device-disk", "storage-dir" */
	const char *group;
	const struct conf_key *keys;
};

/* The i-th table; its 'entity' is NULL after the last. */
struct conf_table conf_tables_at(unsigned int i);
