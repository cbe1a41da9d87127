// Package etcd stores the record of a pair's arbiter (package arbiter) under one key of an
// etcd cluster. Reads are linearizable, and a swap is a transaction on the key's revision,
// so no node can miss the other's writes.
package etcd

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"baton/impl/arbiter"
)

// Config locates the record.
type Config struct {
	Endpoints []string // URLs of the members
	Key       string   // the record's key; equal on both nodes, unique to the pair
	TLS       *tls.Config
	// Timeout limits each question.
	Timeout time.Duration
}

// Store is a client of the cluster. It is safe for concurrent use.
type Store struct {
	client  *clientv3.Client
	key     string
	timeout time.Duration

	mu      sync.Mutex
	cluster uint64 // the id of the cluster that answered first
	latest  int64  // the largest revision it returned
}

// Open returns a store. It connects in the background; questions fail while the cluster is
// unreachable.
func Open(cfg Config) (*Store, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: cfg.Endpoints, TLS: cfg.TLS, Logger: zap.NewNop(),
		DialKeepAliveTime: 2 * cfg.Timeout, DialKeepAliveTimeout: cfg.Timeout,
		BackoffWaitBetween: cfg.Timeout / 4,
		DialOptions:        []grpc.DialOption{grpc.WithConnectParams(pace(cfg.Timeout))},
	})
	if err != nil {
		return nil, fmt.Errorf("etcd: open: %w", err)
	}
	return &Store{client: client, key: cfg.Key, timeout: cfg.Timeout}, nil
}

// pace is how an unreachable cluster is tried again. With gRPC's own pace an attempt waits 20 s for an
// answer, and up to two minutes lie between two attempts: a node whose peer dies after an outage of the
// cluster could not ask for that long.
func pace(timeout time.Duration) grpc.ConnectParams {
	return grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: timeout / 4, Multiplier: 1.6, Jitter: 0.2, MaxDelay: timeout},
		MinConnectTimeout: timeout,
	}
}

// Close ends the connection.
func (s *Store) Close() error { return s.client.Close() }

// Do executes a question.
func (s *Store) Do(ctx context.Context, q arbiter.Question) arbiter.Answer {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	a, err := s.ask(ctx, q)
	if err != nil {
		return arbiter.Answer{ID: q.ID, Err: err.Error()}
	}
	a.ID = q.ID
	return a
}

func (s *Store) ask(ctx context.Context, q arbiter.Question) (arbiter.Answer, error) {
	if !q.Swap {
		got, err := s.client.Get(ctx, s.key)
		if err != nil {
			return arbiter.Answer{}, err
		}
		if err := s.admit(got.Header.ClusterId, got.Header.Revision); err != nil {
			return arbiter.Answer{}, err
		}
		return answer(got)
	}
	text, err := json.Marshal(q.Record)
	if err != nil {
		return arbiter.Answer{}, err
	}
	done, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(s.key), "=", int64(q.Revision))).
		Then(clientv3.OpPut(s.key, string(text))).
		Else(clientv3.OpGet(s.key)).
		Commit()
	if err != nil {
		return arbiter.Answer{}, err
	}
	if err := s.admit(done.Header.ClusterId, done.Header.Revision); err != nil {
		return arbiter.Answer{}, err
	}
	if done.Succeeded {
		return arbiter.Answer{Swapped: true, Revision: uint64(done.Header.Revision), Record: q.Record}, nil
	}
	return answer((*clientv3.GetResponse)(done.Responses[0].GetResponseRange()))
}

// answer decodes the record of a read.
func answer(got *clientv3.GetResponse) (a arbiter.Answer, err error) {
	if len(got.Kvs) == 0 {
		return a, nil
	}
	a.Revision = uint64(got.Kvs[0].ModRevision)
	if err := json.Unmarshal(got.Kvs[0].Value, &a.Record); err != nil {
		return a, fmt.Errorf("the key %s has no valid arbiter record: %w", got.Kvs[0].Key, err)
	}
	return a, nil
}

var errOther = errors.New("another cluster answers: restart the node once no node holds a right from the old cluster")

// admit rejects answers of another cluster, and of one that returned to an earlier
// revision, for instance after a restore from a snapshot: its record may be older than a
// swap.
func (s *Store) admit(cluster uint64, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cluster == 0:
		s.cluster = cluster
	case s.cluster != cluster:
		return errOther
	case revision < s.latest:
		return fmt.Errorf("the cluster has gone back from revision %d to %d", s.latest, revision)
	}
	s.latest = max(s.latest, revision)
	return nil
}
