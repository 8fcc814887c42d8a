/* Network addresses as text and as numbers: host:port in every form that the API takes, CIDR. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/macro.h"

#define NETADDR_TEXT_SIZE 80 /* "[ipv6%interface]:port" and a NUL. */

/* A resolved socket address. */
struct netaddr {
	struct sockaddr_storage storage;
	socklen_t size;
};

/*
 * Splits "host", "host:port", "[v6]:port", "[v6]" and a bare "v6" into host and port, without
 * looking anything up. Port 'fallback' if none is named. Both results are written on success only;
 * the host is owned by the caller, "" for ":8443". -EINVAL: bad port, brackets or characters.
 */
int netaddr_split(const char *text, uint16_t fallback, char **ret_host, uint16_t *ret_port);

/* The inverse: "[v6]:port" for IPv6, else "host:port". Owned by the caller. */
char *netaddr_join(const char *host, uint16_t port) MUST_CHECK;

/* The same text for the same address: "10.0.0.1" -> "10.0.0.1:8443", "::1" -> "[::1]:8443". */
int netaddr_canonical(const char *text, uint16_t fallback, char **ret_text);

/* Numeric addresses only: never blocks. -EINVAL when 'host' is a name. */
int netaddr_parse(const char *host, uint16_t port, struct netaddr *ret_addr);

/* Names too; blocks on DNS: not for the loop. Writes at most 'max' addresses, returns their number.
 */
int netaddr_resolve(const char *host, uint16_t port, struct netaddr *ret_addrs, size_t max);

/* "10.0.0.1:8443", "[::1]:8443"; "@" for a unix socket. IPv4-mapped IPv6 is shown as IPv4. */
void netaddr_print(const struct sockaddr *addr, char ret_text[NETADDR_TEXT_SIZE]);

/* The same without the port and brackets. */
void netaddr_print_host(const struct sockaddr *addr, char ret_text[NETADDR_TEXT_SIZE]);

bool netaddr_is_wildcard(const char *host); /* "", "0.0.0.0", "::" and "[::]". */
bool netaddr_is_ip(const char *host);

/* Whether both texts are the same host and port once 'fallback' fills in missing ports. */
bool netaddr_equal(const char *a, const char *b, uint16_t fallback);

/* A network in CIDR form. */
struct netaddr_cidr {
	int family; /* AF_INET or AF_INET6. */
	unsigned prefix;
	uint8_t address[16]; /* Network order, host bits as written. */
};

/* "10.0.0.1/24", "fd42::/64"; without "/" the whole length. -EINVAL if malformed. */
int netaddr_cidr_parse(const char *text, struct netaddr_cidr *ret_cidr);
bool netaddr_cidr_contains(const struct netaddr_cidr *cidr, const char *host);

/* The first address of this machine that is neither loopback nor link-local, or "127.0.0.1". Owned.
 */
char *netaddr_local_guess(void) MUST_CHECK;
