#ifndef EDS_S3_ERROR_H
#define EDS_S3_ERROR_H

#include "drivers/http/https.h"

/* What an answer that is not a success means (contract/s3.md section 7). */
enum s3_fate {
	S3_STORED,
	S3_AGAIN,		/* later; time mends it                                            */
	S3_SLOWER,		/* later, and fewer at a time                                      */
	S3_CREDENTIALS,		/* with newer credentials                                          */
	S3_CLOCK,		/* signed by the server's clock                                    */
	S3_REGION,		/* signed for another region, which `region` names when it is known */
	S3_DENIED,		/* credentials, rights, bucket: only the operator can mend it      */
	S3_THIS_ONE,		/* this object can never be stored                                 */
	S3_ODD_REQUEST,		/* the same, if it is certain that others can                      */
};

struct s3_error {
	enum s3_fate	 fate;
	long		 status;
	char		 code[64];		/* "" when the answer has none, as to HEAD */
	char		 message[240];
	char		 request_id[72];
	char		 region[40];
	int64_t		 clock_ms;		/* S3_CLOCK: the server's, 0 when it did not say */
	int64_t		 retry_after_ms;
};

/* Takes an answer apart; for HTTPS_ANSWERED only. */
void	 s3_error_parse(struct s3_error *, const struct https_answer *);

/* "AccessDenied: Access Denied (HTTP 403, request 7F3A); <remedy>", without what stands in `hide`: it may be row data. */
void	 s3_error_text(const struct s3_error *, struct slice hide, struct buf *);

#endif
