#ifndef EDS_SQLSERVER_URL_H
#define EDS_SQLSERVER_URL_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* The destination's URL taken apart (contract/drivers.md section 8), and what FreeTDS is told of it. */
enum ms_encrypt {
	MS_ENCRYPT_OFF,
	MS_ENCRYPT_LOGIN,	/* the login only, unless the server asks for more */
	MS_ENCRYPT_ALL,
};

struct ms_url {
	char		*user, *password;
	char		*host, *port;
	char		*database;	/* "": the login's own */
	char		*schema;	/* NULL: that of unqualified names */
	char		*app;
	char		*ca;		/* file with certificates to trust; NULL: the system's */
	enum ms_encrypt	 encrypt;
	bool		 verify;	/* certificate and host name */
	int		 login_s, answer_s;
	int		 packet;
};

/* ERR_CONFIG, never quoting a value.  On failure there is nothing to free. */
int	 ms_url_parse(struct ms_url *, const char *text, struct err *) MUST_CHECK;
void	 ms_url_free(struct ms_url *);

/* host:port as dbopen() takes it: the name that stands here is also what goes to the server and its certificate. */
void	 ms_url_server(const struct ms_url *, struct buf *);

/* The freetds.conf that this URL means; without secrets. */
void	 ms_url_conf(const struct ms_url *, struct buf *);

#endif
