#ifndef EDS_S3_SIGV4_H
#define EDS_S3_SIGV4_H

#include "drivers/s3/sha256.h"
#include "ipc/base/buf.h"

/*
 * AWS Signature Version 4 in its S3 form (contract/s3.md section 1): each byte of the path is encoded
 * once, and the path is not normalised.  Golden values: tests/vectors/sigv4.json.
 */
struct sigv4_pair {
	struct slice	 name, value;	/* not encoded */
};

struct sigv4_request {
	const char			*method;
	struct slice			 path;		/* not encoded; "" stands for "/" */
	const struct sigv4_pair		*query;
	size_t				 n_query;
	const struct sigv4_pair		*headers;	/* those to be signed, in any order and case; at most 16 */
	size_t				 n_headers;
	struct slice			 payload_hash;
	const char			*date;		/* 20130524T000000Z */
	const char			*region;
	const char			*service;
	const char			*access_key;
	const char			*secret;
};

/* What comes of it; its memory is used again.  The key of a day is kept in it. */
struct sigv4 {
	struct buf	 signed_headers, canonical, to_sign, authorization;
	char		 signature[65];
	struct sha256	 sha;		/* prepared with it */
	uint8_t		 day_key[SHA256_BYTES];
	uint64_t	 day_of;	/* hash of what it was derived from, 0: none */
	struct buf	 scratch;
};

#define SIGV4_EMPTY_HASH	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void	 sigv4_path(struct buf *, struct slice raw);
void	 sigv4_query(struct buf *, const struct sigv4_pair *, size_t n);	/* sorted, at most 16 */
bool	 sigv4_hash(struct sigv4 *, struct slice body, char out_r[65]) MUST_CHECK;
bool	 sigv4_key(struct sha256 *, const struct sigv4_request *, uint8_t out_r[SHA256_BYTES]) MUST_CHECK;

/* Fills in everything; false when memory was short. */
bool	 sigv4_sign(struct sigv4 *, const struct sigv4_request *) MUST_CHECK;
void	 sigv4_free(struct sigv4 *);

/* "20130524T000000Z" of epoch milliseconds. */
void	 sigv4_date(int64_t epoch_ms, char out_r[17]);

#endif
