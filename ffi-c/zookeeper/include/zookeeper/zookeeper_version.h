/* The version of ZooKeeper's C interface that these headers and this library follow. */
#ifndef ZOOWARDEN_ZOOKEEPER_VERSION_H
#define ZOOWARDEN_ZOOKEEPER_VERSION_H

#define ZOO_VERSION "3.8.0"

#endif
