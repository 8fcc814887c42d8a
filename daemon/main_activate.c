#include "daemon/main_activate.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>

#include "daemon/core/dirs.h"
#include "daemon/local_client.h"
#include "lib/base/file.h"
#include "lib/net/http_client.h"

static bool has_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool has = false;

	while (dir && !has && (entry = readdir(dir)))
		has = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);

	return has;
}

/* An address to listen on, or instances that this member has: then nobody else starts the daemon.
 */
static bool is_needed(const struct dirs *dirs)
{
	static const char query[] =
		"SELECT count(*) FROM config WHERE key LIKE '%https_address' AND value <> ''";
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	bool needed = false;

	if (!file_exists(dirs->local_db))
		return false;

	if (sqlite3_open_v2(dirs->local_db, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, query, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		needed = sqlite3_column_int(stmt, 0) > 0;

	sqlite3_finalize(stmt);
	sqlite3_close(db);

	/* Every instance of this member has its link here; which of them start is for the daemon.
	 */
	return needed || has_entries(dirs->containers);
}

int main_activate_run(int argc, char **argv)
{
	scoped(dirs_freep) struct dirs *dirs = dirs_new();
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped(error_freep) struct error *err = NULL;

	(void)argc;
	(void)argv;
	if (!is_needed(dirs))
		return 0;

	/* The first request on the socket makes systemd start the daemon. */
	client = local_client_new();
	if (local_client_call(client, "GET", "/1.0", NULL, NULL, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err->msg);
		return 1;
	}

	return 0;
}
