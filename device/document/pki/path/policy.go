package path

import (
	"slices"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// maxNodes bounds the valid policy tree, which mappings can make grow without
// end.
const maxNodes = 4096

// policies is the state of policy processing (RFC 5280:2008 6.1.2 to 6.1.5).
type policies struct {
	acceptable []string // nil for any
	levels     [][]*node
	explicit   int
	mapping    int
	any        int
	nodes      int
	left       int // certificates after the present one
}

// node is a policy of the tree with what it may be called below.
type node struct {
	policy   string
	expected []string
	parent   *node
	children int
}

func newPolicies(in Input, n int) *policies {
	p := &policies{acceptable: in.Policies, explicit: n + 1, mapping: n + 1, any: n + 1, left: n}
	if in.ExplicitPolicy {
		p.explicit = 0
	}
	if in.InhibitMapping {
		p.mapping = 0
	}
	if in.InhibitAnyValue {
		p.any = 0
	}
	p.levels = [][]*node{{{policy: oidAnyPolicy, expected: []string{oidAnyPolicy}}}}
	return p
}

func (p *policies) add(parent *node, policy string, expected ...string) error {
	if p.nodes++; p.nodes > maxNodes {
		return fault.New(ErrBudget.Code, "over %d policies", maxNodes)
	}
	parent.children++
	i := len(p.levels) - 1
	p.levels[i] = append(p.levels[i], &node{policy: policy, expected: expected, parent: parent})
	return nil
}

// empty reports whether the tree is NULL.
func (p *policies) empty() bool { return len(p.levels[len(p.levels)-1]) == 0 }

// step processes one certificate; for the last one what comes before its end.
func (p *policies) step(c *pki.Certificate, x extensions, last bool) error {
	p.left--
	if err := p.match(c, x, last); err != nil {
		return err
	}
	// 6.1.3 (f)
	if p.explicit <= 0 && p.empty() {
		return fault.New(ErrPolicy.Code, "no policy is valid down to %s", c.Subject)
	}
	if last {
		// 6.1.5 (a), (b)
		p.explicit = max(p.explicit-1, 0)
		if x.explicitPolicy == 0 {
			p.explicit = 0
		}
		return nil
	}
	if err := p.apply(x); err != nil {
		return err
	}
	// 6.1.4 (h) to (j)
	if !c.SelfIssued() {
		p.explicit, p.mapping, p.any = max(p.explicit-1, 0), max(p.mapping-1, 0), max(p.any-1, 0)
	}
	for _, limit := range []struct {
		from int
		to   *int
	}{{x.explicitPolicy, &p.explicit}, {x.inhibitMapping, &p.mapping}, {x.inhibitAnyPolicy, &p.any}} {
		if limit.from >= 0 {
			*limit.to = min(*limit.to, limit.from)
		}
	}
	return nil
}

// match is 6.1.3 (d) and (e): a new level of the tree.
func (p *policies) match(c *pki.Certificate, x extensions, last bool) error {
	above := p.levels[len(p.levels)-1]
	p.levels = append(p.levels, nil)
	if x.policies == nil || len(above) == 0 {
		return nil // 6.1.3 (e): NULL
	}
	for _, policy := range x.policies {
		if policy == oidAnyPolicy {
			continue
		}
		matched := false
		for _, n := range above {
			if slices.Contains(n.expected, policy) {
				matched = true
				if err := p.add(n, policy, policy); err != nil {
					return err
				}
			}
		}
		for _, n := range above {
			if !matched && n.policy == oidAnyPolicy {
				if err := p.add(n, policy, policy); err != nil {
					return err
				}
			}
		}
	}
	if slices.Contains(x.policies, oidAnyPolicy) && (p.any > 0 || !last && c.SelfIssued()) {
		for _, n := range above {
			for _, expected := range n.expected {
				if p.child(n, expected) {
					continue
				}
				if err := p.add(n, expected, expected); err != nil {
					return err
				}
			}
		}
	}
	p.prune()
	return nil
}

// child reports whether n has a child of that policy on the newest level.
func (p *policies) child(n *node, policy string) bool {
	for _, c := range p.levels[len(p.levels)-1] {
		if c.parent == n && c.policy == policy {
			return true
		}
	}
	return false
}

// prune takes away what has no children on the newest level (6.1.3 d 3).
func (p *policies) prune() {
	for i := len(p.levels) - 2; i >= 0; i-- {
		p.levels[i] = slices.DeleteFunc(p.levels[i], func(n *node) bool {
			if n.children > 0 {
				return false
			}
			if n.parent != nil {
				n.parent.children--
			}
			return true
		})
	}
}

// apply is 6.1.4 (a) and (b): mappings.
func (p *policies) apply(x extensions) error {
	mapped := map[string][]string{}
	for _, m := range x.mappings {
		if m[0] == oidAnyPolicy || m[1] == oidAnyPolicy {
			return fault.New(ErrPolicy.Code, "a mapping from or to any policy")
		}
		mapped[m[0]] = append(mapped[m[0]], m[1])
	}
	top := len(p.levels) - 1
	for from, to := range mapped {
		if p.mapping <= 0 {
			p.levels[top] = slices.DeleteFunc(p.levels[top], func(n *node) bool {
				if n.policy != from {
					return false
				}
				n.parent.children--
				return true
			})
			p.prune()
			continue
		}
		found := false
		for _, n := range p.levels[top] {
			if n.policy == from {
				n.expected, found = to, true
			}
		}
		if found {
			continue
		}
		for _, n := range p.levels[top] {
			if n.policy == oidAnyPolicy {
				if err := p.add(n.parent, from, to...); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

// end is 6.1.5 (g): whether a policy that the user takes is left, where one is
// required.
func (p *policies) end() error {
	if p.explicit > 0 {
		return nil
	}
	for _, n := range p.levels[len(p.levels)-1] {
		if p.taken(n) {
			return nil
		}
	}
	return fault.New(ErrPolicy.Code, "none of the policies is acceptable")
}

// taken reports whether a leaf stands for a policy that the user takes: the
// topmost policy on its way that is not any decides.
func (p *policies) taken(leaf *node) bool {
	if p.acceptable == nil {
		return true
	}
	name := leaf.policy
	for n := leaf; n != nil; n = n.parent {
		if n.parent == nil || n.parent.policy == oidAnyPolicy {
			name = n.policy
			break
		}
	}
	return name == oidAnyPolicy || slices.Contains(p.acceptable, name)
}
