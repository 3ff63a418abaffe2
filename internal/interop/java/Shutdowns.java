/**
 * A client of 5.5.0 that shuts down waits for a thread which looks at a queue
 * for 3 s before it notices. An interrupt makes it look again.
 */
class Shutdowns {
    /** Interrupts those threads ten times a second until the returned thread is interrupted. */
    static Thread hasten() {
        Thread hastener = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(100);
                    for (Thread thread : Thread.getAllStackTraces().keySet()) {
                        if (thread.getName().equals("NettyEventExecutor")) {
                            thread.interrupt();
                        }
                    }
                }
            } catch (InterruptedException e) {
                return;
            }
        });
        hastener.setDaemon(true);
        hastener.start();
        return hastener;
    }
}
