#ifndef EDS_MYSQL_URL_H
#define EDS_MYSQL_URL_H

#include <stdbool.h>

#include "ipc/base/err.h"

/*
 * mysql://user:password@host:3306/database?option=value&...
 *
 *	tls		true: encrypted, certificate and host name verified (the default, but on loopback)
 *			skip-verify: encrypted, nothing verified; preferred: the same where the server can
 *			false: not encrypted (the default on loopback)
 *	ssl-ca, ssl-cert, ssl-key	PEM files: whom to trust instead of the system's authorities; who we are
 *	socket		path of a Unix socket to use instead of host and port
 *	timeout, readTimeout, writeTimeout	10s, 2m ...
 *	types		wide, or classic: columns are made with the types of the Go server (TEXT, TIMESTAMP, FLOAT)
 *	json		native, or text: new columns for JSON are LONGTEXT, as MySQL's own type rounds numbers beyond 64 bits
 *	bulk		auto, or off: do not use MariaDB's array binding
 *	foreign_key_checks	1, or 0
 *	allowCleartextPasswords	true: the server may ask for the password as it is; wants tls
 *
 * The other options of Go's driver, which URLs stored by the Go server may have, are accepted and
 * have no effect: what they set is fixed here.
 */
enum my_tls { MY_TLS_OFF, MY_TLS_PREFERRED, MY_TLS_SKIP_VERIFY, MY_TLS_VERIFY };

struct my_url {
	char		*user, *password;	/* "" when absent */
	char		*host, *database;
	char		*ca, *cert, *key, *socket;	/* NULL when absent */
	unsigned	 port;
	enum my_tls	 tls;
	unsigned	 connect_s, read_s, write_s;	/* 0: the default */
	bool		 classic, json_text, no_bulk, no_foreign_keys, cleartext;
};

/* ERR_CONFIG says what was expected, ERR_NOMEM.  On failure there is nothing to free. */
int	 my_url_parse(struct my_url *, const char *text, struct err *) MUST_CHECK;
void	 my_url_free(struct my_url *);

#endif
