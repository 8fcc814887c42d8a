#include "lib/net/netaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"

static int parse_port(const char *text, uint16_t *ret_port)
{
	unsigned port = 0;

	if (!*text || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(*text - '0');
	}
	if (port > 65535)
		return -EINVAL;

	*ret_port = (uint16_t)port;
	return 0;
}

static bool is_host_text(const char *host)
{
	for (; *host; host++) {
		unsigned char c = (unsigned char)*host;
		if (c <= ' ' || c >= 0x7f || strchr("/\\@[]?#\"'", c))
			return false;
	}
	return true;
}

int netaddr_split(const char *text, uint16_t fallback, char **ret_host, uint16_t *ret_port)
{
	uint16_t port = fallback;
	const char *host = text, *colon = NULL;
	size_t host_size = strlen(text);

	if (*text == '[') {
		const char *close = strchr(text, ']');
		if (!close || (close[1] && close[1] != ':'))
			return -EINVAL;
		host = text + 1;
		host_size = (size_t)(close - host);
		colon = close[1] ? close + 1 : NULL;
		if (!memchr(host, ':', host_size))
			return -EINVAL;
	} else if (strchr(text, ':') == strrchr(text, ':')) {
		colon = strchr(text, ':');
		if (colon)
			host_size = (size_t)(colon - text);
	} /* More colons without brackets: all of it is an IPv6 address. */

	if (colon && parse_port(colon + 1, &port) < 0)
		return -EINVAL;

	scoped_free char *copy = xasprintf("%.*s", (int)host_size, host);
	if (!is_host_text(copy) || (strchr(copy, ':') && !netaddr_is_ip(copy)))
		return -EINVAL;

	*ret_host = TAKE_PTR(copy);
	*ret_port = port;
	return 0;
}

char *netaddr_join(const char *host, uint16_t port)
{
	return xasprintf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

int netaddr_canonical(const char *text, uint16_t fallback, char **ret_text)
{
	scoped_free char *host = NULL;
	uint16_t port;

	if (netaddr_split(text, fallback, &host, &port) < 0)
		return -EINVAL;

	struct netaddr addr;
	if (netaddr_parse(host, port, &addr) < 0) {
		*ret_text = netaddr_join(host, port);
		return 0;
	}

	char canonical[NETADDR_TEXT_SIZE];
	netaddr_print((struct sockaddr *)&addr.storage, canonical);
	*ret_text = xstrdup(canonical);
	return 0;
}

static bool is_local_only(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, addr, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 16 == 0xa9fe; /* 169.254.0.0/16 */
	}

	struct sockaddr_in6 in6;
	memcpy(&in6, addr, sizeof(in6));
	return IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
}

int netaddr_parse(const char *host, uint16_t port, struct netaddr *ret_addr)
{
	scoped_free char *port_text = xasprintf("%u", (unsigned)port);
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                  .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;

	if (!*host || getaddrinfo(host, port_text, &hints, &found) != 0)
		return -EINVAL;

	*ret_addr = (struct netaddr){ .size = found->ai_addrlen };
	memcpy(&ret_addr->storage, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);

	/* "%eth0" has a meaning for link-local addresses only. */
	if (strchr(host, '%') && !is_local_only((const struct sockaddr *)&ret_addr->storage))
		return -EINVAL;
	return 0;
}

int netaddr_resolve(const char *host, uint16_t port, struct netaddr *ret_addrs, size_t max)
{
	scoped_free char *port_text = xasprintf("%u", (unsigned)port);
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                  .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_NUMERICSERV };
	struct addrinfo *found = NULL;

	int r = getaddrinfo(*host ? host : "localhost", port_text, &hints, &found);
	if (r == EAI_SYSTEM)
		return -errno;
	if (r == EAI_MEMORY)
		abort();
	if (r != 0)
		return r == EAI_AGAIN ? -EAGAIN : -EHOSTUNREACH;

	size_t n = 0;
	for (struct addrinfo *at = found; at && n < max; at = at->ai_next) {
		ret_addrs[n] = (struct netaddr){ .size = at->ai_addrlen };
		memcpy(&ret_addrs[n++].storage, at->ai_addr, at->ai_addrlen);
	}
	freeaddrinfo(found);
	return (int)n;
}

/* Copies out the host and returns the port, or -1 if it is no IP address. */
static int print_host(const struct sockaddr *addr, char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1],
                      bool *ret_is_v6)
{
	*ret_is_v6 = false;
	if (addr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, addr, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, INET6_ADDRSTRLEN);
		return ntohs(in.sin_port);
	}
	if (addr->sa_family != AF_INET6)
		return -1;

	struct sockaddr_in6 in6;
	memcpy(&in6, addr, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], host, INET6_ADDRSTRLEN);
		return ntohs(in6.sin6_port);
	}

	*ret_is_v6 = true;
	inet_ntop(AF_INET6, &in6.sin6_addr, host, INET6_ADDRSTRLEN);
	char name[IF_NAMESIZE];
	if (in6.sin6_scope_id && if_indextoname(in6.sin6_scope_id, name))
		snprintf(host + strlen(host), IF_NAMESIZE + 1, "%%%s", name);
	return ntohs(in6.sin6_port);
}

void netaddr_print(const struct sockaddr *addr, char ret_text[NETADDR_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	bool is_v6;
	int port = print_host(addr, host, &is_v6);

	if (port < 0)
		snprintf(ret_text, NETADDR_TEXT_SIZE, "@");
	else
		snprintf(ret_text, NETADDR_TEXT_SIZE, is_v6 ? "[%s]:%d" : "%s:%d", host, port);
}

void netaddr_print_host(const struct sockaddr *addr, char ret_text[NETADDR_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	bool is_v6;

	if (print_host(addr, host, &is_v6) < 0)
		snprintf(ret_text, NETADDR_TEXT_SIZE, "@");
	else
		snprintf(ret_text, NETADDR_TEXT_SIZE, "%s", host);
}

bool netaddr_is_wildcard(const char *host)
{
	return !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 ||
	       strcmp(host, "[::]") == 0;
}

bool netaddr_is_ip(const char *host)
{
	struct netaddr addr;

	return netaddr_parse(host, 0, &addr) == 0;
}

bool netaddr_equal(const char *a, const char *b, uint16_t fallback)
{
	scoped_free char *text_a = NULL, *text_b = NULL;

	return netaddr_canonical(a, fallback, &text_a) == 0 &&
	       netaddr_canonical(b, fallback, &text_b) == 0 && strcasecmp(text_a, text_b) == 0;
}

int netaddr_cidr_parse(const char *text, struct netaddr_cidr *ret_cidr)
{
	const char *slash = strchr(text, '/');
	scoped_free char *host = xasprintf("%.*s", (int)strcspn(text, "/"), text);
	struct netaddr_cidr cidr = { .family = strchr(host, ':') ? AF_INET6 : AF_INET };
	unsigned most = cidr.family == AF_INET6 ? 128 : 32;

	if (inet_pton(cidr.family, host, cidr.address) != 1)
		return -EINVAL;

	uint16_t prefix = (uint16_t)most;
	if (slash && (parse_port(slash + 1, &prefix) < 0 || prefix > most))
		return -EINVAL;

	cidr.prefix = prefix;
	*ret_cidr = cidr;
	return 0;
}

bool netaddr_cidr_contains(const struct netaddr_cidr *cidr, const char *host)
{
	struct netaddr_cidr other;

	if (netaddr_cidr_parse(host, &other) < 0 || other.family != cidr->family ||
	    other.prefix < cidr->prefix)
		return false;

	size_t whole = cidr->prefix / 8;
	unsigned rest = cidr->prefix % 8;
	if (memcmp(cidr->address, other.address, whole) != 0)
		return false;

	unsigned mask = 0xffU << (8 - rest) & 0xffU;
	return rest == 0 || (cidr->address[whole] & mask) == (other.address[whole] & mask);
}

char *netaddr_local_guess(void)
{
	struct ifaddrs *all = NULL;
	char text[NETADDR_TEXT_SIZE] = "127.0.0.1";
	bool has_v6 = false;

	if (getifaddrs(&all) < 0)
		return xstrdup(text);

	for (struct ifaddrs *at = all; at; at = at->ifa_next) {
		if (!at->ifa_addr || (at->ifa_flags & IFF_LOOPBACK) || !(at->ifa_flags & IFF_UP))
			continue;
		int family = at->ifa_addr->sa_family;
		if ((family != AF_INET && family != AF_INET6) || is_local_only(at->ifa_addr))
			continue;
		if (family == AF_INET6 && has_v6)
			continue;
		netaddr_print_host(at->ifa_addr, text);
		if (family == AF_INET)
			break;
		has_v6 = true;
	}
	freeifaddrs(all);
	return xstrdup(text);
}
