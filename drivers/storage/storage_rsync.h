/*
 * Copies by rsync: between directories here, and between members.
 *
 * Between members the source runs rsync as a client whose "remote shell" is a helper of ours
 * (storage_rsync_helper()), which hands its two pipes over to the daemon; the daemon sends the
 * command line that rsync wants to run remotely as a message, and pumps. The sink checks that
 * command line word by word, puts its own path in, runs it and pumps too.
 */
#pragma once

#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"

/* Makes the directory 'to' equal to 'from': owners, modes, times, links, ACLs, attributes. */
int storage_rsync_local(const char *from, const char *to, struct op *op, struct error **err);

int storage_rsync_send(const struct host *host, const char *path,
                       const struct storage_transfer *transfer, struct op *op, struct error **err);
int storage_rsync_receive(const char *path, const struct storage_transfer *transfer, struct op *op,
                          struct error **err);

/*
 * Checks the command that the source wants to be run: a server that receives, with options that we
 * know, into one path. 'words' ends with NULL. Fails with a 400.
 */
int storage_rsync_check_command(const char *const *words, struct error **err);

/* The helper "forkrsync": argv is [name, host, "rsync", "--server", ...]; fd 3 is the daemon. */
int storage_rsync_helper(int argc, char **argv);
