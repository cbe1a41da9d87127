package traffic_test

import (
	"io"
	"net"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"baton/netns/internal/testlab"
)

// damage is what a proxy does once to each of its connections.
type damage int32

const (
	none damage = iota
	flipRequest
	flipAnswer
	repeatAnswer
	loseAnswer
	switchBackend
	closeEarly
)

// Lengths of the messages on the wire (see message.go).
const (
	requestLen = 64
	answerLen  = 96
)

// proxy is a load balancer in userspace with selectable bugs.
type proxy struct {
	host   *testlab.Host
	damage atomic.Int32
}

// newProxy serves the VIP from its own host, for the first backend.
func newProxy(n *network) *proxy {
	p := &proxy{host: testlab.NewHost("proxy", DeferCleanup)}
	p.host.Plug("eth0", n.sw, "br0", "198.18.0.1/24")
	p.host.Address("lo", vip+"/32")
	n.client.Route(vip+"/32", "198.18.0.1")
	n.client.Reach(vip)
	var l net.Listener
	Expect(p.host.Do(func() (err error) {
		l, err = net.Listen("tcp4", vip+":80")
		return err
	})).To(Succeed())
	DeferCleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) dial(backend int) (conn net.Conn) {
	_ = p.host.Do(func() (err error) {
		conn, err = net.Dial("tcp4", backendAddrs[backend]+":80")
		return err
	})
	return conn
}

// serve forwards requests and answers one by one.
func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	first, second := p.dial(0), p.dial(1)
	if first == nil || second == nil {
		return
	}
	defer first.Close()
	defer second.Close()
	backend, done := first, false
	request, answer := make([]byte, requestLen), make([]byte, answerLen)
	for {
		if _, err := io.ReadFull(client, request); err != nil {
			return
		}
		do := damage(none)
		if !done {
			do = damage(p.damage.Load())
			done = do != none
		}
		switch do {
		case flipRequest:
			request[40] ^= 1
		case switchBackend:
			backend = second
		case closeEarly:
			return
		}
		if _, err := backend.Write(request); err != nil {
			return
		}
		if _, err := io.ReadFull(backend, answer); err != nil {
			return
		}
		switch do {
		case flipAnswer:
			answer[70] ^= 1
		case repeatAnswer:
			_, _ = client.Write(answer)
		case loseAnswer:
			continue
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}
