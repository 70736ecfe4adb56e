#ifndef EDS_URL_H
#define EDS_URL_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* A URL taken apart by contract/encoding.md section 5 (Go's net/url); all parts decoded. */
struct url {
	char	*scheme;		/* lower-cased                         */
	char	*user, *password;	/* NULL when absent; "" when empty     */
	char	*host;			/* without port and brackets; may be "" */
	char	*port;			/* digits, "" when absent              */
	char	*path;			/* decoded, "" when empty              */
	char	*query;			/* raw text after ?, NULL when absent  */
	char	*fragment;		/* NULL when absent                    */
};

/*
 * Refuses with ERR_INVALID what net/url refuses, and what has no scheme, a scheme without slash
 * (`mailto:x`; `x:` is allowed) or an encoded NUL.  Never quotes the URL in the
 * error text: it may hold a password.  On failure there is nothing to free.
 */
int	 url_parse(struct url *, struct slice, struct err *) MUST_CHECK;
void	 url_free(struct url *);

/* First value of that key, decoded, for the caller to free(); NULL when absent or out of memory. */
char	*url_query_get(const struct url *, const char *key) MUST_CHECK;

/* The next pair of a query, decoded; pairs that do not decode are left out.  False at the end. */
bool	 url_next_pair(struct slice *rest, struct buf *key, struct buf *value);

/* The host is this machine: localhost, 127.x.x.x or ::1.  Only there TLS may be off without being told. */
bool	 host_is_loopback(const char *host);

/* Unreserved bytes stay, everything else becomes %XX; for one path segment. */
void	 url_escape_segment(struct buf *, struct slice);

/*
 * Masking, contract/cli.md section 8.  mask_url() fails when the URL does not parse, having added nothing.
 * mask_argument() also masks the value in --flag=value and URLs whose scheme has a hyphen (hazards.md H51).
 */
void	 mask_text(struct buf *, struct slice);
int	 mask_url(struct buf *, struct slice, struct err *) MUST_CHECK;
void	 mask_email(struct buf *, struct slice);
void	 mask_argument(struct buf *, struct slice);

/* A URL fit for logs and status in every case: masked, or the scheme and three stars when it does not parse. */
void	 mask_url_for_log(struct buf *, struct slice);

#endif
