/*
 * Where files live.
 *
 * One state directory holds everything of one daemon, so that several can run on a host. It comes
 * from MUSTER_DIR, else LXD_DIR, else /var/lib/muster; programs written for LXD find ours without
 * being told.
 */
#pragma once

#include "lib/base/error.h"

/* Absolute paths without a trailing slash, owned by the struct. */
struct dirs {
	char *root;        /* The state directory, 0711. */
	char *unix_socket; /* root/unix.socket, 0660 root:group. */
	char *server_cert; /* root/server.crt and .key: this member's own. */
	char *server_key;
	char *cluster_cert; /* root/cluster.crt and .key: shared by the members, once clustered. */
	char *cluster_key;
	char *database;      /* root/database, 0700: local.db and global/ of the engine. */
	char *local_db;      /* root/database/local.db. */
	char *global_db;     /* root/database/global, 0700. */
	char *storage_pools; /* root/storage-pools, 0711: one mount point for each pool. */
	char *containers;    /* root/containers, 0711: a symlink for each instance. */
	char *snapshots;     /* root/containers-snapshots, 0700. */
	char *images;        /* root/images, 0700. */
	char *logs;          /* root/logs, 0700: one folder for each instance. */
	char *run;           /* root/run, 0711: sockets and files that do not survive a boot. */
	char *devices;       /* root/devices, 0711: nodes of instances' devices. */
	char *shmounts;      /* root/shmounts, 0711: mounts handed into running containers. */
	char *backups;       /* root/backups, 0700. */
	char *spool;         /* root/spool, 0700: uploads on their way in; emptied at each start. */
};

/* Fills in paths from the environment; touches nothing. */
struct dirs *dirs_new(void) MUST_CHECK;

/* Makes what is missing and corrects modes; empties the spool. */
int dirs_create(const struct dirs *dirs, struct error **err);

void dirs_free(struct dirs *dirs);
DEFINE_SCOPED(struct dirs *, dirs_free);
