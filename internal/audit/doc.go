// Package audit keeps the audit log: who has asked for what that not everybody may, and
// what became of it.
//
// The log is a file of lines. Each is one JSON object:
//
//	{"t":"2026-11-27T23:01:02.003Z","seq":1042,"boot":"6f1c…","peer":"10.1.2.3:51234",…,"h":"…"}
//
// Nobody who writes a line waits for the disk, unless he wants to ([Receipt.Wait]). One
// goroutine writes what has come, and syncs it each second. What finds no room in the
// queue, or cannot be written, is lost: the next line says how many ("lost"), and their
// numbers are missing ("seq").
//
// With a chain each line has a hash ("h"), of the hash of the line before and of the line
// itself. So nobody can change, remove or insert a line without writing anew all that
// come after it. [Verify] finds the first that does not fit.
//
// The first line that a process writes to a file says what it follows ("prev"), and how
// many bytes before it are no whole lines ("torn"): those that a process had begun that
// was killed.
package audit
