#include "daemon/helper/helper_job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"

int helper_job_ok(const struct helper_job *job, const struct strbuf *more, const int *fds,
                  size_t n_fds)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };

	bytes_put_le32(&reply, 0);
	if (more)
		strbuf_add_n(&reply, more->text, more->size);
	return fd_send(job->socket, reply.text, reply.size, fds, n_fds);
}

int helper_job_fail(const struct helper_job *job, int code, int http, const char *fmt, ...)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	va_list args;

	va_start(args, fmt);
	scoped_free char *sentence = xvasprintf(fmt, args);
	va_end(args);
	bytes_put_le32(&reply, (uint32_t)(code < 0 ? code : -EIO));
	bytes_put_le32(&reply, (uint32_t)http);
	strbuf_add_n(&reply, sentence, strlen(sentence) + 1);
	return fd_send(job->socket, reply.text, reply.size, NULL, 0);
}

int helper_job_number(const struct helper_job *job, int32_t number)
{
	scoped(strbuf_done) struct strbuf more = { 0 };

	bytes_put_le32(&more, (uint32_t)number);
	return helper_job_ok(job, &more, NULL, 0);
}
