// Package wire is a link that can be cut, stalled and restored at will: a TCP
// proxy for tests and the demonstration, where network namespaces would need
// rights.
package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// State is what the link does.
type State int

// States of a link.
const (
	Open    State = 1 // carries
	Cut     State = 2 // connections end, new ones are closed at once
	Stalled State = 3 // connections stay and carry nothing
)

// Proxy carries connections to one target. It is safe for concurrent use.
type Proxy struct {
	l    net.Listener
	work sync.WaitGroup

	mu     sync.Mutex
	target string
	state  State
	wake   chan struct{} // closed at each change
	conns  map[net.Conn]bool
}

// Listen starts a proxy to target on a free port of loopback.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a link: %w", err)
	}
	p := &Proxy{l: l, target: target, state: Open, wake: make(chan struct{}), conns: make(map[net.Conn]bool)}
	p.work.Go(p.accept)
	return p, nil
}

// Addr is where the near end connects.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Aim leads new connections elsewhere.
func (p *Proxy) Aim(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Set changes what the link does.
func (p *Proxy) Set(s State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	close(p.wake)
	p.wake = make(chan struct{})
	if s == Cut {
		p.drop()
	}
}

// Break ends the connections that there are; new ones are carried.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

func (p *Proxy) drop() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// Close ends the link.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.state = Cut
	close(p.wake)
	p.wake = make(chan struct{})
	p.drop()
	p.mu.Unlock()
	err := p.l.Close()
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		near, err := p.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.work.Go(func() { p.carry(near) })
		}
	}
}

// add notes a connection, unless the link is cut.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == Cut {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) carry(near net.Conn) {
	defer near.Close()
	if !p.add(near) {
		return
	}
	defer p.remove(near)
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.add(far) {
		return
	}
	defer p.remove(far)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			p.copy(way[1], way[0])
			near.Close()
			far.Close()
		})
	}
	both.Wait()
}

// copy carries one direction as long as the link is open.
func (p *Proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.passes() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// passes waits while the link is stalled, and reports whether it carries then.
func (p *Proxy) passes() bool {
	for {
		p.mu.Lock()
		state, wake := p.state, p.wake
		p.mu.Unlock()
		switch state {
		case Open:
			return true
		case Stalled:
			<-wake
		default:
			return false
		}
	}
}
