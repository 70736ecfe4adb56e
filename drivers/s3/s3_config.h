#ifndef EDS_S3_CONFIG_H
#define EDS_S3_CONFIG_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * What an s3:// URL says (contract/drivers.md section 5, contract/s3.md section 2):
 *
 *	s3://bucket[/prefix]				AWS, or whatever `endpoint` names
 *	s3://storage.googleapis.com/bucket[/prefix]	Google
 *	s3://localhost:4566/bucket[/prefix]		this machine, plain HTTP
 *	s3://host:port/bucket[/prefix]			another service: no bucket has a port, an IP address
 *							or amazonaws.com, r2.cloudflarestorage.com in its name
 *
 * Every other host is a bucket's name.  Members are NULL where neither the URL nor the environment says
 * anything; a parameter that is there but empty counts as absent (hazards.md H54).
 */
enum s3_addressing { S3_PATH, S3_VIRTUAL, S3_AUTO };

struct s3_config {
	char			*bucket;
	char			*prefix;		/* ends with "/" unless it is empty */
	char			*scheme;		/* "http", "https" */
	char			*host;			/* with the port; NULL: AWS, by region */
	bool			 aws, google, local;
	char			*region, *access_key, *secret, *token, *profile;
	char			*ca_file;
	char			*storage_class, *acl, *sse, *sse_key;	/* sent as headers */
	enum s3_addressing	 addressing;
	bool			 unique, ndjson, gzip;
	bool			 odd_retries;		/* max-retries is no number: 5 it is, and a warning */
	uint64_t		 attempts;		/* of one object, before the batch is given back */
	uint64_t		 tasks;			/* requests under way at most */
	uint64_t		 batch;			/* events of a batch at most, 0: as many as suit the tasks */
	uint64_t		 timeout_s;
	uint64_t		 roll_bytes, roll_events, roll_seconds;
};

#define S3_TASKS	256

/* ERR_CONFIG and what was expected; on failure there is nothing to free. */
int	 s3_config_parse(struct s3_config *, const char *url, struct err *) MUST_CHECK;
void	 s3_config_free(struct s3_config *);

/* "[scheme://]host[:port]" of another service: of the URL's `endpoint`, AWS_ENDPOINT_URL or a profile's endpoint_url. */
int	 s3_config_endpoint(struct s3_config *, const char *text, const char *named, struct err *) MUST_CHECK;

/* Host and path, not encoded, of an object in that region; key "" is the bucket. */
void	 s3_address(const struct s3_config *, const char *region, struct slice key, struct buf *host, struct buf *path);

#endif
