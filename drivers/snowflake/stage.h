#ifndef EDS_SNOWFLAKE_STAGE_H
#define EDS_SNOWFLAKE_STAGE_H

#include "drivers/snowflake/crypt.h"
#include "drivers/snowflake/statement.h"

/* Files to a stage (contract/snowflake.md section 7): where the server says that they go, in the cloud it lives in. */
enum snow_store { SNOW_S3, SNOW_AZURE, SNOW_GCS, SNOW_LOCAL };

/* The answer to a PUT statement.  Texts end with a NUL; "" when absent. */
struct snow_stage {
	enum snow_store	 store;
	char		*location;	/* bucket or container with prefix; a directory */
	char		*region, *end_point, *account, *presigned;
	char		*key_id, *secret, *token;	/* S3 */
	char		*sas, *bearer;			/* Azure, GCS */
	char		*master, *query_id, *smk_id;	/* encryption is demanded unless master is "" */
	bool		 regional, virtual_url;
};

int	 snow_stage_parse(struct snow_stage *, const struct json_val *data, struct err *) MUST_CHECK;
void	 snow_stage_free(struct snow_stage *);

/* The request that puts one file there.  Lines and texts lie in `text`; `e` NULL: not encrypted. */
#define SNOW_UPLOAD_HEADERS	16
struct snow_upload {
	struct buf	 url;
	struct buf	 text;
	size_t		 nlines;	/* header lines in text, each ended by a NUL */
};

int	 snow_upload_make(struct snow_upload *, const struct snow_stage *, const char *scheme, const char *name,
    const char *digest, const struct snow_envelope *e, int64_t now_ms, struct err *) MUST_CHECK;
void	 snow_upload_free(struct snow_upload *);

/*
 * Puts `content` to the stage as `name`; `path` is @"stage"/folder/, ended by a slash.  Repeated, with new credentials when the
 * store does not accept the ones it was given.
 */
enum drv_result snow_put(struct snow_session *, const char *path, const char *name, struct slice content,
    const char *spool_dir, struct err *);

#endif
