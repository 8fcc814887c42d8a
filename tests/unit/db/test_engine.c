/* The node itself: its directory, its lock, its membership. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/conn.h"
#include "db/engine.h"
#include "lib/base/alloc.h"
#include "lib/base/tree.h"
#include "tests/kit/db_nodes.h"

static char top[] = "/tmp/muster-engine-XXXXXX";
static char *dir;

static int start(void **state)
{
	(void)state;
	engine_init();
	if (!mkdtemp(top))
		return -1;
	dir = xasprintf("%s/node", top);
	return mkdir(dir, 0700);
}

static int stop(void **state)
{
	(void)state;
	free(dir);
	return tree_remove(top, 0);
}

static struct engine_options options_of(const char *where, const char *address)
{
	return (struct engine_options){ .id = 1, .address = address, .dir = where };
}

static void the_library_has_a_name(void **state)
{
	(void)state;
	assert_true(strcmp(engine_name(), "cowsql") == 0 || strcmp(engine_name(), "dqlite") == 0);
	assert_true(strlen(engine_version()) >= 3);
}

static void a_missing_directory_is_told(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL;
	struct engine_options options = options_of("/nonexistent/node", "1");
	struct engine_node *node;

	assert_true(engine_node_start(&options, &node, &err) < 0);
	assert_non_null(strstr(err->msg, "/nonexistent"));
}

static void one_node_per_directory(void **state)
{
	(void)state;
	scoped(error_freep) struct error *busy = NULL;
	struct engine_options options = options_of(dir, "1");
	struct engine_node *node;
	struct engine_node *second;

	CHECK(engine_node_start(&options, &node, &err));
	assert_int_equal(engine_node_start(&options, &second, &busy), -EBUSY);
	int fd = engine_node_connect(node);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	engine_node_stop(node);
	CHECK(engine_node_start(&options, &node, &err));
	engine_node_stop(node);
}

static void programs_do_not_inherit_the_listener(void **state)
{
	(void)state;
	struct engine_options options = options_of(dir, "1");
	struct engine_node *node;
	size_t n_listeners = 0;

	CHECK(engine_node_start(&options, &node, &err));
	for (int fd = 3; fd < 256; fd++) {
		int listens = 0;
		socklen_t size = sizeof(listens);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens)
			continue;
		n_listeners++;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(n_listeners, 1);
	engine_node_stop(node);
}

/* The library does not free all of a node that was never started; only the leak checker has these.
 */
void __lsan_disable(void) __attribute__((__weak__));
void __lsan_enable(void) __attribute__((__weak__));

static void recovery_gives_another_address(void **state)
{
	(void)state;
	struct engine_options options = options_of(dir, "10.0.0.1:8443");
	struct engine_member member = { .id = 1, .address = "10.0.0.1:8443", .role = ENGINE_VOTER };
	struct engine_node *node;
	struct db_conn *conn;
	struct db_conn_nodes list;
	int64_t deadline = date_deadline(10000);

	if (__lsan_disable)
		__lsan_disable();
	CHECK(engine_recover(&options, &member, 1, &err));
	if (__lsan_enable)
		__lsan_enable();
	CHECK(engine_node_start(&options, &node, &err));
	CHECK(db_conn_open(engine_node_connect(node), deadline, &conn, &err));
	CHECK(db_conn_cluster(conn, deadline, &list, &err));
	assert_int_equal(list.n, 1);
	assert_string_equal(list.rows[0].address, "10.0.0.1:8443");
	assert_int_equal(list.rows[0].role, ENGINE_VOTER);
	db_conn_nodes_done(&list);
	db_conn_free(conn);
	engine_node_stop(node);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_has_a_name),
		cmocka_unit_test(a_missing_directory_is_told),
		cmocka_unit_test(one_node_per_directory),
		cmocka_unit_test(programs_do_not_inherit_the_listener),
		cmocka_unit_test(recovery_gives_another_address),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
