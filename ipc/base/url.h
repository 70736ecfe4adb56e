#ifndef EDS_URL_H
#define EDS_URL_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* A URL taken apart by contract/encoding.md section 5 (Go's net/url); all parts decoded. */
struct url {
	char	*scheme;		/* lower-cased                         */
	char	*user, *password;	/* NULL when absent; "" when empty     */
	char	*host;			/* without port; "" when empty         */
	char	*port;			/* digits, "" when absent              */
	char	*path;			/* decoded, "" when empty              */
	char	*query;			/* raw text after ?, NULL when absent  */
	char	*fragment;		/* NULL when absent                    */
};

/* Never quotes the URL in an error text: it may hold a password. */
int	 url_parse(struct url *, struct slice, struct err *) MUST_CHECK;
void	 url_free(struct url *);

/* First value of that key, decoded, for the caller to free(); NULL when absent or out of memory. */
char	*url_query_get(const struct url *, const char *key) MUST_CHECK;

/* Unreserved bytes stay, everything else becomes %XX; for one path segment. */
void	 url_escape_segment(struct buf *, struct slice);

/* Masking, contract/cli.md section 8.  mask_url() fails when the URL does not parse. */
void	 mask_text(struct buf *, struct slice);
int	 mask_url(struct buf *, struct slice, struct err *) MUST_CHECK;
void	 mask_email(struct buf *, struct slice);
void	 mask_argument(struct buf *, struct slice);

/* A URL fit for logs and status in every case: masked, or scheme and stars when it does not parse. */
void	 mask_url_for_log(struct buf *, struct slice);

#endif
