#include "daemon/main_init.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/init_preseed.h"
#include "daemon/local_client.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/yaml.h"
#include "lib/net/http_client.h"
#include "lib/net/netaddr.h"

#define PRESEED_MAX (16U << 20)
#define HTTPS_PORT 8443

struct options {
	bool is_auto, is_preseed, is_dump, is_minimal;
	const char *network_address;
	uint16_t network_port;
	const char *storage_backend;
	const char *storage_device;
	const char *storage_size; /* GiB, for a loop file. */
	const char *storage_pool;
};

enum { OPT_ADDRESS = 256, OPT_PORT, OPT_BACKEND, OPT_DEVICE, OPT_LOOP, OPT_POOL };

static int usage(void)
{
	fprintf(stderr,
	        "Usage: musterd init --preseed < FILE\n"
	        "       musterd init --auto [--network-address=ADDRESS] [--network-port=PORT]\n"
	        "                    [--storage-backend=dir|btrfs] [--storage-pool=SOURCE]\n"
	        "                    [--storage-create-device=PATH] [--storage-create-loop=GiB]\n"
	        "       musterd init --minimal\n"
	        "       musterd init --dump\n");
	return -1;
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "auto", no_argument, NULL, 'a' },
		{ "preseed", no_argument, NULL, 'p' },
		{ "dump", no_argument, NULL, 'd' },
		{ "minimal", no_argument, NULL, 'm' },
		{ "network-address", required_argument, NULL, OPT_ADDRESS },
		{ "network-port", required_argument, NULL, OPT_PORT },
		{ "storage-backend", required_argument, NULL, OPT_BACKEND },
		{ "storage-create-device", required_argument, NULL, OPT_DEVICE },
		{ "storage-create-loop", required_argument, NULL, OPT_LOOP },
		{ "storage-pool", required_argument, NULL, OPT_POOL },
		{ NULL, 0, NULL, 0 },
	};
	int c, port;

	o->network_port = HTTPS_PORT;
	while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		switch (c) {
		case 'a':
			o->is_auto = true;
			break;
		case 'p':
			o->is_preseed = true;
			break;
		case 'd':
			o->is_dump = true;
			break;
		case 'm':
			o->is_minimal = true;
			break;
		case OPT_ADDRESS:
			o->network_address = optarg;
			break;
		case OPT_PORT:
			port = (int)strtol(optarg, NULL, 10);
			if (port <= 0 || port > 65535)
				return usage();
			o->network_port = (uint16_t)port;
			break;
		case OPT_BACKEND:
			o->storage_backend = optarg;
			break;
		case OPT_DEVICE:
			o->storage_device = optarg;
			break;
		case OPT_LOOP:
			o->storage_size = optarg;
			break;
		case OPT_POOL:
			o->storage_pool = optarg;
			break;
		default:
			return usage();
		}
	}

	if (optind < argc || o->is_auto + o->is_preseed + o->is_dump + o->is_minimal != 1)
		return usage();

	return 0;
}

static int preseed(struct http_client *client, struct error **err)
{
	scoped_free char *text = NULL;
	scoped(jv_unrefp) struct json_object *document = NULL;
	size_t size;

	int r = fd_read_all(STDIN_FILENO, PRESEED_MAX, &text, &size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the preseed");

	r = yaml_decode(text, size, &document, err);
	if (r < 0)
		return error_wrap(err, "Failed parsing the preseed");
	if (!document)
		return 0;

	r = jv_check_object(document, "The preseed", err);
	if (r < 0)
		return r;

	return init_preseed_apply(client, document, err);
}

static int dump(struct http_client *client, struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	scoped(strbuf_done) struct strbuf text = { 0 };

	int r = init_preseed_dump(client, &document, err);
	if (r < 0)
		return r;

	yaml_encode(document, &text);
	fputs(strbuf_text(&text), stdout);
	return 0;
}

/* A pool "default" and a root disk in it for the profile "default", if there are none yet. */
static struct json_object *automatic(const struct options *o)
{
	struct json_object *document = jv_object();
	struct json_object *pool = jv_object(), *pools = jv_array(), *pool_config = jv_object();
	struct json_object *profile = jv_object(), *profiles = jv_array();
	struct json_object *devices = jv_object(), *disk = jv_object(), *config = jv_object();

	if (o->network_address) {
		scoped_free char *address = netaddr_join(o->network_address, o->network_port);

		jv_set_string(config, "core.https_address", address);
	}
	jv_set_take(document, "config", config);

	jv_set_string(pool, "name", "default");
	jv_set_string(pool, "driver", o->storage_backend ? o->storage_backend : "dir");
	if (o->storage_device || o->storage_pool)
		jv_set_string(pool_config, "source",
		              o->storage_device ? o->storage_device : o->storage_pool);
	if (o->storage_size)
		jv_set_stringf(pool_config, "size", "%sGiB", o->storage_size);
	jv_set_take(pool, "config", pool_config);
	jv_add_take(pools, pool);
	jv_set_take(document, "storage_pools", pools);

	jv_set_string(disk, "type", "disk");
	jv_set_string(disk, "path", "/");
	jv_set_string(disk, "pool", "default");
	jv_set_take(devices, "root", disk);
	jv_set_string(profile, "name", "default");
	jv_set_take(profile, "devices", devices);
	jv_add_take(profiles, profile);
	jv_set_take(document, "profiles", profiles);
	return document;
}

static int run(struct http_client *client, const struct options *o, struct error **err)
{
	if (o->is_preseed)
		return preseed(client, err);
	if (o->is_dump)
		return dump(client, err);

	scoped(jv_unrefp) struct json_object *document = automatic(o);

	return init_preseed_apply(client, document, err);
}

int main_init_run(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(http_client_unrefp) struct http_client *client = NULL;
	struct options o = { 0 };

	if (read_options(argc, argv, &o) < 0)
		return 1;

	client = local_client_new();
	if (run(client, &o, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err->msg);
		return 1;
	}

	return 0;
}
