// A session of go-zk: every kind of call, each answer asserted.
//
// Usage: session HOST:PORT, against a fresh server that allows TTL znodes. Prints what fails, then
// `N passed, N failed`; the exit code is 1 if anything failed. Proven on Apache ZooKeeper first:
// `cargo xtask go --reference`.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	sessionTimeout = 10 * time.Second
	eventTimeMax   = 20 * time.Second
)

var (
	passed, failed int
	open           = zk.WorldACL(zk.PermAll)
)

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

func check(ok bool, format string, details ...interface{}) {
	if ok {
		passed++
		return
	}
	failed++
	fmt.Printf("FAILED: "+format+"\n", details...)
}

func fails(what string, got, want error) {
	check(errors.Is(got, want), "%s: %v, expected %v", what, got, want)
}

func ok(what string, got error) {
	fails(what, got, nil)
}

func connect(hosts string) *zk.Conn {
	conn, events, err := zk.Connect([]string{hosts}, sessionTimeout, zk.WithLogger(quiet{}))
	if err != nil {
		finish(err)
	}
	late := time.After(eventTimeMax)
	for {
		select {
		case event := <-events:
			if event.State == zk.StateHasSession {
				return conn
			}
		case <-late:
			finish(errors.New("no session"))
		}
	}
}

func comes(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-events:
		check(event.Type == kind && event.Path == path, "%v of %s came, expected %v of %s",
			event.Type, event.Path, kind, path)
	case <-time.After(eventTimeMax):
		check(false, "%v of %s did not come", kind, path)
	}
}

func creating(conn *zk.Conn) {
	made, err := conn.Create("/g", []byte("root"), 0, open)
	ok("create", err)
	check(made == "/g", "made %s", made)
	_, err = conn.Create("/g", nil, 0, open)
	fails("create twice", err, zk.ErrNodeExists)
	_, err = conn.Create("/nowhere/child", nil, 0, open)
	fails("create without a parent", err, zk.ErrNoNode)
	made, err = conn.Create("/g/s-", nil, zk.FlagSequence, open)
	check(err == nil && made == "/g/s-0000000000", "made %s: %v", made, err)
	made, err = conn.CreateProtectedEphemeralSequential("/g/p-", nil, open)
	check(err == nil && strings.HasSuffix(made, "-p-0000000001"), "made %s: %v", made, err)
	_, err = conn.Create("/g/e", nil, zk.FlagEphemeral, open)
	ok("create an ephemeral", err)
	_, err = conn.Create("/g/e/child", nil, 0, open)
	fails("create below an ephemeral", err, zk.ErrNoChildrenForEphemerals)
	_, err = conn.CreateContainer("/g/box", nil, zk.FlagContainer, open)
	ok("create a container", err)
	_, err = conn.CreateTTL("/g/ttl", nil, zk.FlagTTL, open, time.Hour)
	ok("create with a TTL", err)
}

func readingAndWriting(conn *zk.Conn) {
	data, stat, err := conn.Get("/g")
	check(err == nil && string(data) == "root", "%q: %v", data, err)
	check(stat.NumChildren == 5 && stat.Cversion == 5 && stat.Version == 0, "%+v", stat)
	stat, err = conn.Set("/g", []byte("again"), 0)
	check(err == nil && stat.Version == 1, "%+v: %v", stat, err)
	_, err = conn.Set("/g", nil, 7)
	fails("set another version", err, zk.ErrBadVersion)
	_, _, err = conn.Get("/nowhere")
	fails("get", err, zk.ErrNoNode)
	there, _, err := conn.Exists("/nowhere")
	check(err == nil && !there, "/nowhere is there: %v", err)
	names, _, err := conn.Children("/")
	sort.Strings(names)
	check(err == nil && strings.Join(names, " ") == "g zookeeper", "%v: %v", names, err)
	fails("delete with children", conn.Delete("/g", -1), zk.ErrNotEmpty)
	_, err = conn.Sync("/g")
	ok("sync", err)
}

func watching(conn *zk.Conn) {
	_, _, created, err := conn.ExistsW("/w")
	ok("exists with a watch", err)
	_, err = conn.Create("/w", nil, 0, open)
	ok("create", err)
	comes(created, zk.EventNodeCreated, "/w")
	_, _, changed, err := conn.GetW("/w")
	ok("get with a watch", err)
	_, _, children, err := conn.ChildrenW("/w")
	ok("children with a watch", err)
	_, err = conn.Set("/w", []byte("x"), -1)
	ok("set", err)
	comes(changed, zk.EventNodeDataChanged, "/w")
	_, err = conn.Create("/w/child", nil, 0, open)
	ok("create", err)
	comes(children, zk.EventNodeChildrenChanged, "/w")
	_, _, deleted, err := conn.ExistsW("/w/child")
	ok("exists with a watch", err)
	ok("delete", conn.Delete("/w/child", -1))
	comes(deleted, zk.EventNodeDeleted, "/w/child")
}

func transactions(conn *zk.Conn) {
	answers, err := conn.Multi(
		&zk.CreateRequest{Path: "/t", Data: []byte("1"), Acl: open},
		&zk.CreateRequest{Path: "/t/s-", Acl: open, Flags: zk.FlagSequence},
		&zk.SetDataRequest{Path: "/t", Data: []byte("2"), Version: 0},
		&zk.CheckVersionRequest{Path: "/t", Version: 1},
		&zk.DeleteRequest{Path: "/t/s-0000000000", Version: -1},
	)
	check(err == nil && len(answers) == 5, "%v: %v", answers, err)
	check(answers[1].String == "/t/s-0000000000", "made %s", answers[1].String)
	check(answers[2].Stat != nil && answers[2].Stat.Version == 1, "%+v", answers[2].Stat)
	_, err = conn.Multi(
		&zk.DeleteRequest{Path: "/t", Version: -1},
		&zk.CheckVersionRequest{Path: "/g", Version: 7},
	)
	fails("multi", err, zk.ErrBadVersion)
	there, _, err := conn.Exists("/t")
	check(err == nil && there, "/t is gone: %v", err)
}

func permissions(conn *zk.Conn, hosts string) {
	ok("add auth", conn.AddAuth("digest", []byte("alice:secret")))
	_, err := conn.Create("/p", nil, 0, zk.DigestACL(zk.PermAll, "alice", "secret"))
	ok("create", err)
	acl, _, err := conn.GetACL("/p")
	check(err == nil && len(acl) == 1 && acl[0].ID == "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=", "%v: %v", acl, err)
	stranger := connect(hosts)
	defer stranger.Close()
	_, _, err = stranger.Get("/p")
	fails("get", err, zk.ErrNoAuth)
	stat, err := conn.SetACL("/p", zk.WorldACL(zk.PermRead), 0)
	check(err == nil && stat.Aversion == 1, "%+v: %v", stat, err)
	_, _, err = stranger.Get("/p")
	ok("get", err)
	_, err = conn.Set("/p", nil, -1)
	fails("set", err, zk.ErrNoAuth)
}

func locking(conn *zk.Conn, hosts string) {
	other := connect(hosts)
	defer other.Close()
	mine, theirs := zk.NewLock(conn, "/lock", open), zk.NewLock(other, "/lock", open)
	ok("lock", mine.Lock())
	locked := make(chan error, 1)
	go func() { locked <- theirs.Lock() }()
	ok("unlock", mine.Unlock())
	select {
	case err := <-locked:
		ok("lock after the other", err)
	case <-time.After(eventTimeMax):
		check(false, "the lock was not handed on")
	}
	ok("unlock", theirs.Unlock())
}

func ephemeralsEndWithTheirSession(conn *zk.Conn, hosts string) {
	other := connect(hosts)
	_, err := other.Create("/gone", nil, zk.FlagEphemeral, open)
	ok("create", err)
	_, stat, gone, err := conn.ExistsW("/gone")
	check(err == nil && stat.EphemeralOwner == other.SessionID(), "%+v: %v", stat, err)
	other.Close()
	comes(gone, zk.EventNodeDeleted, "/gone")
}

func finish(err error) {
	if err != nil {
		check(false, "%v", err)
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

func main() {
	hosts := os.Args[1]
	conn := connect(hosts)
	creating(conn)
	readingAndWriting(conn)
	watching(conn)
	transactions(conn)
	permissions(conn, hosts)
	locking(conn, hosts)
	ephemeralsEndWithTheirSession(conn, hosts)
	conn.Close()
	finish(nil)
}
