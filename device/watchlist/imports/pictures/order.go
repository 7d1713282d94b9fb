package pictures

// Order runs slow work on several things at once and hands them on in the
// order in which they came. What needs no work waits for nothing but those
// before it. It is for one goroutine.
type Order[T any] struct {
	Ahead int // things under way at most, at least 1
	queue []pending[T]
}

type pending[T any] struct {
	thing T
	done  <-chan struct{} // nil: ready
}

// Add begins work on a thing, nil for none, and hands on to take what is
// ready. After an error of take the Order must be abandoned with Wait.
func (o *Order[T]) Add(thing T, work func(), take func(T) error) error {
	p := pending[T]{thing: thing}
	if work != nil {
		done := make(chan struct{})
		p.done = done
		go func() {
			defer close(done)
			work()
		}()
	}
	o.queue = append(o.queue, p)
	return o.drain(max(1, o.Ahead)-1, take)
}

// Finish hands on the rest.
func (o *Order[T]) Finish(take func(T) error) error { return o.drain(0, take) }

// Wait ends when no work is under way, and forgets what was not handed on.
func (o *Order[T]) Wait() {
	for _, p := range o.queue {
		if p.done != nil {
			<-p.done
		}
	}
	o.queue = nil
}

// drain hands on the oldest until at most left stay, and all that are ready.
func (o *Order[T]) drain(left int, take func(T) error) error {
	for len(o.queue) > 0 {
		p := o.queue[0]
		if p.done != nil {
			if len(o.queue) > left {
				<-p.done
			} else {
				select {
				case <-p.done:
				default:
					return nil
				}
			}
		}
		o.queue[0] = pending[T]{}
		o.queue = o.queue[1:]
		if err := take(p.thing); err != nil {
			return err
		}
	}
	return nil
}
