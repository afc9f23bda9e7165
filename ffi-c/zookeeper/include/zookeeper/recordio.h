/* What records are made of: numbers, texts, buffers, and the tables of functions that walk them. */
#ifndef ZOOWARDEN_RECORDIO_H
#define ZOOWARDEN_RECORDIO_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes and their number; a length of -1 is null, which differs from empty. */
struct buffer {
    int32_t len;
    char *buff;
};

/* Frees what is pointed at and sets the pointer to NULL. */
void deallocate_String(char **s);
void deallocate_Buffer(struct buffer *b);

/* Walks a record that is read. Each function returns 0, or a negative errno. */
struct iarchive {
    int (*start_record)(struct iarchive *ia, const char *tag);
    int (*end_record)(struct iarchive *ia, const char *tag);
    int (*start_vector)(struct iarchive *ia, const char *tag, int32_t *count);
    int (*end_vector)(struct iarchive *ia, const char *tag);
    int (*deserialize_Bool)(struct iarchive *ia, const char *name, int32_t *value);
    int (*deserialize_Int)(struct iarchive *ia, const char *name, int32_t *value);
    int (*deserialize_Long)(struct iarchive *ia, const char *name, int64_t *value);
    int (*deserialize_Buffer)(struct iarchive *ia, const char *name, struct buffer *value);
    int (*deserialize_String)(struct iarchive *ia, const char *name, char **value);
    void *priv;
};

/* Walks a record that is written. Each function returns 0, or a negative errno. */
struct oarchive {
    int (*start_record)(struct oarchive *oa, const char *tag);
    int (*end_record)(struct oarchive *oa, const char *tag);
    int (*start_vector)(struct oarchive *oa, const char *tag, const int32_t *count);
    int (*end_vector)(struct oarchive *oa, const char *tag);
    int (*serialize_Bool)(struct oarchive *oa, const char *name, const int32_t *value);
    int (*serialize_Int)(struct oarchive *oa, const char *name, const int32_t *value);
    int (*serialize_Long)(struct oarchive *oa, const char *name, const int64_t *value);
    int (*serialize_Buffer)(struct oarchive *oa, const char *name, const struct buffer *value);
    int (*serialize_String)(struct oarchive *oa, const char *name, char **value);
    void *priv;
};

/* To and from the byte order of the wire. */
int64_t zoo_htonll(int64_t v);

#ifdef __cplusplus
}
#endif

#endif
