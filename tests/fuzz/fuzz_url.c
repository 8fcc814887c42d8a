/* URLs, queries and addresses: what was read is written so that it is read as the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/net/netaddr.h"
#include "lib/net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static void check_query(const char *text)
{
	scoped(url_query_done) struct url_query query = { 0 }, again = { 0 };

	if (url_query_parse(text, &query) < 0)
		return;

	scoped_free char *built = url_query_build(&query);
	if (url_query_parse(built, &again) < 0)
		abort();
	check(again.n_pairs == query.n_pairs);
	for (size_t i = 0; i < again.n_pairs; i++) {
		check(strcmp(again.pairs[i].key, query.pairs[i].key) == 0);
		check(strcmp(again.pairs[i].value, query.pairs[i].value) == 0);
	}
}

static void check_text(const char *text)
{
	scoped_free char *decoded = NULL, *back = NULL;

	if (url_decode(text, strlen(text), false, &decoded) < 0)
		return;
	scoped_free char *escaped = url_escape(decoded);
	check(url_decode(escaped, strlen(escaped), true, &back) == 0);
	check(strcmp(back, decoded) == 0);
}

static void check_address(const char *text)
{
	scoped_free char *canonical = NULL, *again = NULL;

	if (netaddr_canonical(text, 8443, &canonical) < 0)
		return;
	check(netaddr_canonical(canonical, 1, &again) == 0);
	check(strcmp(canonical, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = xmalloc(size + 1);
	scoped(url_done) struct url url = { 0 };
	struct netaddr_cidr cidr;

	memcpy(text, data, size);
	text[size] = '\0';
	check_query(text);
	check_text(text);
	check_address(text);
	(void)url_parse(text, &url);
	(void)netaddr_cidr_parse(text, &cidr);
	return 0;
}
