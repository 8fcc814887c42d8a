/*
 * btrfs send streams between members.
 *
 * What is sent is always read-only: a snapshot of the volume's own, or one made for the purpose in
 * ".transfers" of the pool, as "sent.PASS.KIND.NAME". The sink receives into
 * ".transfers/received.KIND.NAME" and makes the volume a writable snapshot of what came. Between
 * passes each side keeps the subvolume of the last one, which the next stream is relative to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/btrfs_subvol.h"
#include "drivers/storage/storage_btrfs_private.h"
#include "drivers/storage/storage_frame.h"
#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"

static int open_transfers(const struct storage_volume *vol, struct error **err)
{
	scoped_free char *path = xasprintf("%s/.transfers", vol->pool->path);

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	return fd;
}

static char *sent_name(const struct storage_volume *vol, unsigned int pass)
{
	return xasprintf("sent.%u.%s.%s", pass, storage_layout_kind_name(vol->kind), vol->name);
}

/* Snapshots arrive beside what passes keep. */
static char *received_folder(const struct storage_volume *vol, bool is_snapshot)
{
	return xasprintf("%s.%s.%s", is_snapshot ? "snapshot" : "received",
	                 storage_layout_kind_name(vol->kind), vol->name);
}

static int open_at(int dir, const char *name, struct error **err)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", name);
	return fd;
}

static int open_snapshot(const struct storage_volume *vol, const char *snapshot, struct error **err)
{
	struct storage_volume snap = *vol;

	snap.snapshot = snapshot;
	scoped_free char *path = storage_driver_volume_path(&snap);
	return open_at(AT_FDCWD, path, err);
}

/* The kernel writes the stream from within a call, so that call has a thread. */
struct sender {
	int fd, parent, pipe;
	int result;
};

static void *run_sender(void *arg)
{
	struct sender *s = arg;

	s->result = btrfs_subvol_send(s->fd, s->parent, s->pipe);
	close(s->pipe);
	return NULL;
}

static int send_subvol(int fd, int parent, const struct storage_transfer *transfer, struct op *op,
                       struct error **err)
{
	struct sender sender = { .fd = fd, .parent = parent };
	pthread_t thread;
	int pipe[2];

	int r = fd_pipe(pipe);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a pipe");
	sender.pipe = pipe[1];
	r = thread_start(&thread, "btrfs-send", 0, run_sender, &sender);
	if (r < 0) {
		close(pipe[0]);
		close(pipe[1]);
		return error_set_errno(err, r, "Failed starting a thread");
	}

	struct storage_frame_pump pump = {
		.fd = transfer->fd,
		.input = -1,
		.output = pipe[0],
		.what = transfer->what,
		.bytes_per_second = transfer->bytes_per_second,
	};
	r = storage_frame_pump(&pump, op, err);
	pthread_join(thread, NULL);
	if (transfer->ret_bytes)
		*transfer->ret_bytes += pump.sent;
	if (r < 0)
		return r;
	if (sender.result < 0)
		return error_set_errno(err, sender.result, "Failed sending subvolume");
	return 0;
}

/* A volume, through a snapshot of this pass that the next one may need. */
static int send_pass(struct storage_volume *vol, const struct storage_transfer *transfer,
                     struct op *op, struct error **err)
{
	scoped_free char *name = sent_name(vol, transfer->pass);
	scoped_free char *before = transfer->pass > 0 ? sent_name(vol, transfer->pass - 1) : NULL;
	scoped_free char *path = storage_driver_volume_path(vol);
	scoped_fd int parent = -EBADF;

	scoped_fd int transfers = open_transfers(vol, err);
	if (transfers < 0)
		return transfers;
	scoped_fd int source = open_at(AT_FDCWD, path, err);
	if (source < 0)
		return source;
	if (before)
		parent = open_at(transfers, before, err);
	else if (transfer->parent)
		parent = open_snapshot(vol, transfer->parent, err);
	if (*err)
		return (*err)->code;

	/* One of the same name is from a pass that failed, or from a transfer that never ended. */
	btrfs_subvol_delete(transfers, name);
	if (transfer->pass > 1) {
		scoped_free char *oldest = sent_name(vol, transfer->pass - 2);

		btrfs_subvol_delete(transfers, oldest);
	}
	int r = btrfs_subvol_snapshot(source, transfers, name, true);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a snapshot to send");
	scoped_fd int fd = open_at(transfers, name, err);
	r = fd < 0 ? fd : send_subvol(fd, parent, transfer, op, err);

	if (r < 0)
		btrfs_subvol_delete(transfers, name);
	return r;
}

int storage_btrfs_send_volume(struct storage_volume *vol, const struct storage_transfer *transfer,
                              struct op *op, struct error **err)
{
	if (!vol->snapshot)
		return send_pass(vol, transfer, op, err);

	scoped_fd int fd = open_snapshot(vol, vol->snapshot, err);
	if (fd < 0)
		return fd;
	if (!transfer->parent)
		return send_subvol(fd, -1, transfer, op, err);
	scoped_fd int parent = open_snapshot(vol, transfer->parent, err);
	return parent < 0 ? parent : send_subvol(fd, parent, transfer, op, err);
}

/* What is in a directory, by name; ends with NULL, owned by the caller. */
static int list_names(int dir, char ***ret_names)
{
	scoped(strv_freep) char **names = NULL;
	struct dirent *entry;

	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy < 0)
		return -errno;
	DIR *d = fdopendir(copy);
	if (!d) {
		close(copy);
		return -errno;
	}
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			strv_add(&names, entry->d_name);
	closedir(d);
	*ret_names = TAKE_PTR(names);
	return 0;
}

/* Which pass a subvolume was received in: "sent.PASS...". False for a snapshot. */
static bool pass_of(const char *name, unsigned int *ret_pass)
{
	const char *digits = str_after(name, "sent.");
	scoped_free char *number =
		digits ? xasprintf("%.*s", (int)strcspn(digits, "."), digits) : NULL;

	return number && parse_uint32(number, ret_pass) == 0;
}

/* Removes what was received but the passes from 'first' to 'last'. */
static void remove_received(int dir, unsigned int first, unsigned int last)
{
	scoped(strv_freep) char **names = NULL;
	unsigned int pass;

	if (list_names(dir, &names) < 0)
		return;
	STRV_FOREACH (name, names) {
		if (!pass_of(name, &pass) || pass < first || pass > last)
			btrfs_subvol_delete(dir, name);
	}
}

static void remove_folder(const struct storage_volume *vol, int transfers, bool is_snapshot)
{
	scoped_free char *folder = received_folder(vol, is_snapshot);

	scoped_fd int dir =
		openat(transfers, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	remove_received(dir, 1, 0);
	unlinkat(transfers, folder, AT_REMOVEDIR);
}

static int run_receive(int dir, const struct storage_transfer *transfer, struct op *op,
                       struct error **err)
{
	const int fds[] = { dir };
	/* The directory is the third descriptor of the child. */
	const char *argv[] = { "btrfs", "-q", "receive", "-e", "/proc/self/fd/3", NULL };
	scoped_free char *text = NULL;
	size_t size;
	int pipe[2], status;
	pid_t pid;

	scoped_fd int errors = fd_memfd("btrfs");
	if (errors < 0)
		return error_set_errno(err, errors, "Failed making a file");
	int r = fd_pipe(pipe);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a pipe");

	const struct command c = {
		.argv = argv,
		.stdin_fd = pipe[0],
		.stdout_fd = errors,
		.stderr_fd = errors,
		.fds = fds,
		.n_fds = 1,
	};
	r = command_start(&c, &pid);
	close(pipe[0]);
	if (r < 0) {
		close(pipe[1]);
		return error_set_errno(err, r, "Failed starting btrfs");
	}

	struct storage_frame_pump pump = {
		.fd = transfer->fd,
		.input = pipe[1],
		.output = -1,
		.what = transfer->what,
	};
	r = storage_frame_pump(&pump, op, err);
	if (transfer->ret_bytes)
		*transfer->ret_bytes += pump.received;
	if (r < 0)
		kill(-pid, SIGKILL);
	int waited = command_wait(pid, &status);
	if (r < 0)
		return r;
	if (waited < 0 || status == 0)
		return waited < 0 ? error_set_errno(err, waited, "Failed waiting for btrfs") : 0;

	if (lseek(errors, 0, SEEK_SET) < 0 || fd_read_all(errors, 65536, &text, &size) < 0)
		text = xstrdup("");
	scoped_free char *message = str_chomp(text);
	return error_set(err, 500, "Failed receiving subvolume: %.500s", message);
}

/* The one name in 'after' that is not in 'before'. */
static const char *new_name(char **before, char **after)
{
	const char *found = NULL;

	STRV_FOREACH (name, after) {
		if (strv_contains(before, name))
			continue;
		if (found)
			return NULL;
		found = name;
	}
	return found;
}

/* Makes of what was received the volume, or the snapshot. */
static int take_received(struct storage_volume *vol, int dir, const char *name, struct error **err)
{
	assert(name);
	scoped_fd int source = open_at(dir, name, err);
	if (source < 0)
		return source;
	if (!vol->snapshot)
		return storage_btrfs_volume_replace(vol, source, err);

	scoped_free char *folder =
		storage_layout_snapshots_path(vol->pool->path, vol->kind, vol->name);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", folder);
	scoped_fd int parent = open_at(AT_FDCWD, folder, err);
	if (parent < 0)
		return parent;
	/* A read-only snapshot keeps the mark of where it was received from. */
	int r = btrfs_subvol_snapshot(source, parent, vol->snapshot, true);
	return r < 0 ? error_set_errno(err, r, "Failed creating snapshot \"%s\"", vol->snapshot)
	             : 0;
}

int storage_btrfs_send_receive(struct storage_volume *vol, const struct storage_transfer *transfer,
                               struct op *op, struct error **err)
{
	scoped_free char *folder = received_folder(vol, vol->snapshot != NULL);
	scoped(strv_freep) char **before = NULL;
	scoped(strv_freep) char **after = NULL;

	scoped_fd int transfers = open_transfers(vol, err);
	if (transfers < 0)
		return transfers;
	if (mkdirat(transfers, folder, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", folder);
	scoped_fd int dir = open_at(transfers, folder, err);
	if (dir < 0)
		return dir;
	/* A snapshot, and a first pass, are relative to nothing that lies here. */
	bool is_first = transfer->pass == 0;
	if (is_first)
		remove_received(dir, 1, 0);
	else
		remove_received(dir, transfer->pass - 1, transfer->pass - 1);

	int r = list_names(dir, &before);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", folder);
	r = run_receive(dir, transfer, op, err);
	int listed = list_names(dir, &after);
	if (r == 0 && listed < 0)
		r = error_set_errno(err, listed, "Failed reading \"%s\"", folder);
	const char *name = r == 0 ? new_name(before, after) : NULL;
	if (r == 0 && !name)
		r = error_set(err, 500, "Failed receiving subvolume: it is not there");
	if (r == 0)
		r = take_received(vol, dir, name, err);

	/* Of a pass that failed nothing stays; the one before may be needed for another try. */
	if (r < 0 && is_first)
		remove_received(dir, 1, 0);
	else if (r < 0)
		remove_received(dir, transfer->pass - 1, transfer->pass - 1);
	if (vol->snapshot || (r < 0 && is_first))
		remove_folder(vol, transfers, vol->snapshot != NULL);
	return r;
}

void storage_btrfs_send_end(struct storage_volume *vol)
{
	scoped(error_freep) struct error *ignored = NULL;
	scoped(strv_freep) char **names = NULL;
	scoped_free char *key = xasprintf(".%s.%s", storage_layout_kind_name(vol->kind), vol->name);

	scoped_fd int transfers = open_transfers(vol, &ignored);
	if (transfers < 0 || list_names(transfers, &names) < 0)
		return;
	STRV_FOREACH (name, names) {
		const char *pass = str_after(name, "sent.");

		if (pass && strcmp(pass + strspn(pass, "0123456789"), key) == 0)
			btrfs_subvol_delete(transfers, name);
	}
	remove_folder(vol, transfers, false);
	remove_folder(vol, transfers, true);
}
