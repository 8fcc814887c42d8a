/*
 * What a started device wants of its instance.
 *
 * A device driver turns its config into plain items: things to mount, links to have, nodes to
 * allow. The instance driver carries them out, each in its own way: at start as lines of liblxc's
 * config, later by hot-plugging. So device drivers know nothing of containers, and instance
 * drivers nothing of "nictype".
 *
 * All strings are owned by the struct. None of them contains a control character:
 * device_driver_start() refuses those.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/scoped.h"

enum run_link_kind {
	RUN_LINK_BRIDGED, /* A veth pair whose host end is a port of the bridge 'parent'. */
	RUN_LINK_P2P,     /* A veth pair whose host end is left alone. */
};

struct run_mount {
	char *source;      /* Absolute path on the host. */
	char *within;      /* A folder above it, below which no part may be a link; or NULL. */
	char *target;      /* Path inside, without leading slash. */
	char *options;     /* Filesystem's own mount options, or NULL. */
	char *propagation; /* "rslave" and the like, or NULL for private. */
	bool is_file;      /* Source is not a directory. */
	bool is_readonly;
	bool is_recursive; /* With what is mounted below the source. */
	bool is_optional;  /* A missing source is not an error. */
	bool shift;        /* Owners appear through the instance's id map. */
};

struct run_link {
	enum run_link_kind kind;
	char *parent;          /* Bridge, or NULL. */
	char *host_name;       /* Name of the host's end. */
	char *name;            /* Name inside. */
	char *hwaddr;          /* "00:16:3e:..." */
	uint32_t mtu;          /* 0: the parent's, or the kernel's. */
	uint32_t tx_queue_len; /* 0: the kernel's. */
	bool is_isolated;      /* Port of the bridge that other isolated ports cannot reach. */
};

/* A device node of the host that may be used inside. */
struct run_node {
	char *source; /* Path on the host. */
	char *target; /* Path inside, without leading slash. */
	bool is_block;
	uint32_t major, minor;
	mode_t mode;
	uid_t uid; /* Inside. */
	gid_t gid;
};

struct run_config {
	char *device; /* The device's name in the instance. */
	struct run_mount *mounts;
	size_t n_mounts;
	struct run_link *links;
	size_t n_links;
	struct run_node *nodes;
	size_t n_nodes;
};

struct run_config *run_config_new(const char *device);
void run_config_free(struct run_config *run);
DEFINE_SCOPED(struct run_config *, run_config_free);

/* Append an item that is all zero, for the caller to fill. Borrowed from 'run' until the next one.
 */
struct run_mount *run_config_add_mount(struct run_config *run);
struct run_link *run_config_add_link(struct run_config *run);
struct run_node *run_config_add_node(struct run_config *run);
