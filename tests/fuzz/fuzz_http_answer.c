/* What a foreign server answers: it has one reading, whatever pieces it comes in. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	INPUT_MAX = 72 * 1024, /* Fits into a socket's buffer. */
	N_PIECES = 32,
	BODY_MAX = 4096,
};

struct reading {
	int head, body; /* What the two functions returned; body: 1 if it was not read. */
	int copy_failure;
	bool is_empty, is_open;
	size_t n_left; /* Bytes of what follows the answer, if that is known. */
	struct http_response res;
};

static void check(bool condition)
{
	if (!condition)
		abort();
}

/* A stream that gives 'data' in reads of at most 'piece' bytes, or as it likes if that is 0. */
static struct stream *serve(const uint8_t *data, size_t size, size_t piece)
{
	int fds[2];

	check(socketpair(AF_UNIX, (piece ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0, fds) ==
	      0);
	for (size_t at = 0; at < size;) {
		size_t n = piece && size - at > piece ? piece : size - at;
		check(send(fds[0], data + at, n, MSG_DONTWAIT) == (ssize_t)n);
		at += n;
	}
	close(fds[0]);
	return stream_new_fd_take(fds[1]);
}

static size_t count_left(struct stream *s)
{
	char block[1024];
	size_t size = 0;
	ssize_t n;

	while ((n = stream_read(s, block, sizeof(block))) > 0)
		size += (size_t)n;
	return size;
}

static void read_answer(const uint8_t *data, size_t size, size_t piece,
                        const struct http_request *req, struct reading *ret)
{
	struct http_wait wait = { .deadline = date_deadline(20 * 1000) };
	struct stream *s = serve(data, size, piece);

	*ret = (struct reading){ .body = 1 };
	ret->head = http_client_io_read_head(s, wait, &ret->res, &ret->is_empty);
	if (ret->head == 0)
		ret->body = http_client_io_read_body(s, req, wait, &ret->res, &ret->is_open,
		                                     &ret->copy_failure);
	if (ret->body == 0)
		ret->n_left = count_left(s);
	check(ret->head != -ETIMEDOUT && ret->body != -ETIMEDOUT);
	stream_free(s);
}

static void check_headers(const struct http_response *res)
{
	for (char **h = res->headers; h && *h; h++) {
		scoped_free char *name = strndup(*h, strcspn(*h, ":"));
		check((*h)[strlen(name)] == ':');
		check(http_head_is_field(name, *h + strlen(name)));
		check(http_response_header(res, name));
	}
}

static void check_same(const struct reading *a, const struct reading *b)
{
	check(a->head == b->head && a->is_empty == b->is_empty);
	check(a->body == b->body && a->copy_failure == b->copy_failure);
	if (a->head < 0)
		return;

	char **h = a->res.headers, **i = b->res.headers;
	check(a->res.status == b->res.status && !h == !i);
	for (; h && *h; h++, i++)
		check(*i && strcmp(*h, *i) == 0);
	check(!i || !*i);

	if (a->body < 0)
		return;
	check(a->is_open == b->is_open && a->n_left == b->n_left);
	check(a->res.size == b->res.size && a->res.fd_size == b->res.fd_size);
	check(a->res.size == 0 || memcmp(a->res.body, b->res.body, a->res.size) == 0);
}

static void run(const uint8_t *data, size_t size, const struct http_request *req)
{
	struct reading whole, pieces;

	read_answer(data, size, 0, req, &whole);
	read_answer(data, size, 1 + size / N_PIECES, req, &pieces);
	check_same(&whole, &pieces);
	if (whole.head == 0) {
		check(whole.res.status == 101 || whole.res.status >= 200);
		check(whole.res.status < 1000 && whole.res.size <= BODY_MAX);
		check_headers(&whole.res);
	}
	http_response_done(&whole.res);
	http_response_done(&pieces.res);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int sink = -1;

	if (sink < 0)
		sink = fd_memfd("answer");
	if (size > INPUT_MAX)
		size = INPUT_MAX;

	run(data, size, &(struct http_request){ .response_max = BODY_MAX });
	run(data, size, &(struct http_request){ .method = "HEAD", .response_max = BODY_MAX });
	check(ftruncate(sink, 0) == 0 && lseek(sink, 0, SEEK_SET) == 0);
	run(data, size,
	    &(struct http_request){
		    .response_fd = sink, .has_response_fd = true, .response_max = BODY_MAX });
	return 0;
}
