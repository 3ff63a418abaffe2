package bench

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An epollLoop is a loop with a thread of its own. The same thread waits for replies and
// for the moment when a request is due, which a timer of the kernel tells it, so that nothing
// stands between that moment and the write but the work of the thread itself: it looks at
// the clock after each socket it has served, and sends no more than a burst at a time before
// it serves the next. Neither requests nor replies wait behind many of the others.
//
// System calls that cannot block are made behind the back of Go's scheduler, which else
// might give the thread's place away.
type epollLoop struct {
	w       *worker
	epoll   int
	timer   int     // is readable when something is due
	wake    int     // is readable when there are tasks
	armed   int64   // when timer goes off; never when it does not
	sockets []*sock // by descriptor
	in      []byte  // what one read brings
	quit    bool
	ended   chan struct{}

	mu    sync.Mutex // guards the following fields
	tasks []func()
	over  bool // no task is taken any more
}

// A sock is a connection without a reader of its own. It belongs to its loop.
type sock struct {
	l   *epollLoop
	fd  int // -1 when closed
	c   *conn
	out []byte // what the kernel had no room for
	put int    // so much of out is sent
}

const (
	readSize = 64 << 10 // bytes of one read
	// rawWrite is the most bytes that are written behind the back of Go's scheduler: what takes
	// longer must not hold up a stop of all threads.
	rawWrite = 16 << 10
	events   = 256 // sockets that one wait may bring
	// slice is the time that a thread wants at a stretch, in nanoseconds, the least the kernel
	// knows. A thread that wants little gets it sooner, and no more of it than others.
	slice = 100_000
)

// startLoop starts the loop of w.
func startLoop(w *worker) (loop, error) {
	l := &epollLoop{w: w, epoll: -1, timer: -1, wake: -1, armed: never, in: make([]byte, readSize), ended: make(chan struct{})}
	if err := l.open(); err != nil {
		l.free()
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *epollLoop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if l.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	for _, fd := range []int{l.timer, l.wake} { // edge-triggered: they need not be read
		if err := l.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLET); err != nil {
			return err
		}
	}
	return nil
}

func (l *epollLoop) control(op, fd int, what uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: what, Fd: int32(fd)}))
}

func (l *epollLoop) free() {
	for _, fd := range []int{l.epoll, l.timer, l.wake} {
		if fd >= 0 {
			_ = unix.Close(fd) // nobody else has it
		}
	}
}

func (l *epollLoop) execute(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.tasks = append(l.tasks, f)
	if len(l.tasks) == 1 {
		one := [8]byte{1}
		_, _ = unix.Write(l.wake, one[:]) // there is room for more than all that is ever written
	}
	return true
}

// runTasks runs what there is. The last time it takes no more.
func (l *epollLoop) runTasks(last bool) {
	l.mu.Lock()
	tasks := l.tasks
	l.tasks = nil
	l.over = last
	l.mu.Unlock()
	for _, f := range tasks {
		f()
	}
}

func (l *epollLoop) stop() {
	l.execute(func() { l.quit = true })
	<-l.ended
}

// run is the loop. Its thread ends with it.
func (l *epollLoop) run() {
	defer close(l.ended)
	runtime.LockOSThread()
	beShort()
	if l.w.polite {
		yield()
	}
	got := make([]unix.EpollEvent, events)
	for !l.quit {
		n := l.wait(got)
		for i := range n {
			l.serve(&got[i])
			l.pace()
		}
		l.pace()
	}
	l.runTasks(true)
	for _, s := range l.sockets {
		if s != nil {
			_ = unix.Close(s.fd) // nobody else has it
		}
	}
	l.free()
}

// beShort tells the kernel that this thread wants little time at a stretch.
func beShort() {
	if attr, err := unix.SchedGetAttr(0, 0); err == nil && attr.Policy == unix.SCHED_NORMAL {
		attr.Runtime = slice
		_ = unix.SchedSetAttr(0, attr, 0) // kernels before 6.12 do not know it
	}
}

// pace sends some of what is due.
func (l *epollLoop) pace() {
	if now := l.w.d.now(); l.w.due.Load() <= now {
		l.w.step(now, burst)
	}
}

// wait returns how many events there are, and sleeps until there is one or something is
// due.
func (l *epollLoop) wait(got []unix.EpollEvent) int {
	due, now := l.w.due.Load(), l.w.d.now()
	if due <= now {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&got[0])), uintptr(len(got)), 0, 0, 0)
		if errno != 0 {
			return 0
		}
		return int(n)
	}
	l.arm(due, now)
	n, err := unix.EpollWait(l.epoll, got, -1)
	if err != nil {
		return 0 // EINTR: a signal of Go's scheduler
	}
	return n
}

// arm sets the timer.
func (l *epollLoop) arm(due, now int64) {
	if due == l.armed {
		return
	}
	var at unix.ItimerSpec // zero: it does not go off
	if due != never {
		at.Value = unix.NsecToTimespec(due - now)
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(l.timer), 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0); errno == 0 {
		l.armed = due
	}
}

// serve does what an event tells.
func (l *epollLoop) serve(e *unix.EpollEvent) {
	switch fd := int(e.Fd); fd {
	case l.timer:
		l.armed = never // run calls pace
	case l.wake:
		l.runTasks(false)
	default:
		s := l.sockets[fd]
		if s == nil {
			return // it was closed since
		}
		if e.Events&unix.EPOLLOUT != 0 && len(s.out) > 0 {
			s.writeRest()
		}
		if e.Events&^unix.EPOLLOUT != 0 && s.fd >= 0 {
			s.read()
		}
	}
}

// enroll takes the descriptor of nc, and closes nc.
func (l *epollLoop) enroll(nc net.Conn, c *conn) error {
	defer nc.Close()
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a %T has no descriptor", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(of uintptr) { fd, dupErr = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return err
	}
	if dupErr != nil {
		return os.NewSyscallError("fcntl", dupErr)
	}
	added := make(chan error, 1)
	if !l.execute(func() { added <- l.add(fd, c) }) {
		_ = unix.Close(fd) // nobody else has it
		return net.ErrClosed
	}
	return <-added
}

func (l *epollLoop) add(fd int, c *conn) error {
	if err := l.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN); err != nil {
		_ = unix.Close(fd) // nobody else has it
		return err
	}
	for len(l.sockets) <= fd {
		l.sockets = append(l.sockets, nil)
	}
	s := &sock{l: l, fd: fd, c: c}
	l.sockets[fd] = s
	l.w.opened(c, s)
	return nil
}

// read serves what one read brings. If there is more, the next wait says so.
func (s *sock) read() {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(s.fd), uintptr(unsafe.Pointer(&s.l.in[0])), readSize)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0:
		s.close(os.NewSyscallError("read", errno))
	case n == 0:
		s.close(io.EOF)
	case !s.l.w.traffic(s.c, s.l.in[:n]) && s.fd >= 0:
		s.close(nil)
	}
}

// Write implements socket.
func (s *sock) Write(b []byte) (int, error) {
	if s.fd < 0 {
		return 0, net.ErrClosed
	}
	if len(s.out) > 0 {
		s.out = append(s.out, b...)
		return len(b), nil
	}
	n, err := s.send(b)
	if err == nil && n < len(b) {
		s.out, s.put = append(s.out[:0], b[n:]...), 0
		err = s.l.control(unix.EPOLL_CTL_MOD, s.fd, unix.EPOLLIN|unix.EPOLLOUT)
	}
	if err != nil {
		s.close(err)
		return 0, err
	}
	return len(b), nil
}

// send writes what the kernel has room for.
func (s *sock) send(b []byte) (int, error) {
	if len(b) > rawWrite {
		n, err := unix.Write(s.fd, b)
		if err == unix.EAGAIN || err == unix.EINTR {
			err = nil
		}
		return max(n, 0), os.NewSyscallError("write", err)
	}
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("write", errno)
}

// writeRest writes what there was no room for.
func (s *sock) writeRest() {
	n, err := s.send(s.out[s.put:])
	if err == nil {
		if s.put += n; s.put < len(s.out) {
			return
		}
		s.out = s.out[:0]
		err = s.l.control(unix.EPOLL_CTL_MOD, s.fd, unix.EPOLLIN)
	}
	if err != nil {
		s.close(err)
	}
}

// close ends the connection and tells the worker why.
func (s *sock) close(err error) {
	s.l.sockets[s.fd] = nil
	_ = unix.Close(s.fd) // nobody else has it
	s.fd = -1
	s.l.w.closed(s.c, err)
}
