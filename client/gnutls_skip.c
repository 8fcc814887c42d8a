/*
 * Keeps GnuTLS from initialising itself while it is loaded, in vain for a unix socket and half of
 * the time that "muster list" takes; dial_init_tls() does it when it is needed. The library looks
 * for this function in the program, so it must be visible and has no header.
 */
/* NOLINTBEGIN(bugprone-reserved-identifier): the name is the library's. */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);

int _gnutls_global_init_skip(void)
/* NOLINTEND(bugprone-reserved-identifier) */
{
	return 1;
}
