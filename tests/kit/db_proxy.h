/*
 * A wire between a client and a node that loses things.
 *
 * Requests are counted over all connections. The one at which the count ends is either lost on its
 * way, or it is carried out and its answer is lost; both connections are then cut.
 */
#pragma once

enum db_proxy_loss { DB_PROXY_LOSES_REQUEST, DB_PROXY_LOSES_ANSWER };

/* Puts the proxy before 'fd', which it takes over; returns the client's end. */
int db_proxy_wrap(int fd);

/* From now on, loses the 'n'-th request; 0: none. */
void db_proxy_arm(unsigned n, enum db_proxy_loss loss);

/* Whether something was lost since it was armed. */
int db_proxy_has_tripped(void);
