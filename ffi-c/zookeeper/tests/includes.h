/* Every header in one program, as C99 and as C++17, without a warning. */
#include <zookeeper/proto.h>
#include <zookeeper/recordio.h>
#include <zookeeper/zookeeper.h>
#include <zookeeper/zookeeper.jute.h>
#include <zookeeper/zookeeper_version.h>

#include <zookeeper_log.h>
