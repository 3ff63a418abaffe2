import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;

import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs many mqadmin commands in one JVM, because most of the time of one is the
 * start of its JVM. Each line of the file FILE is one command with its
 * arguments; what the command of line i prints goes to FILE.i, counted from 0.
 * With -Dstderr.apart=true what it prints to stderr does not.
 *
 * Arguments: FILE.
 */
public class Admin {
    public static void main(String[] args) throws Exception {
        Shutdowns.hasten();
        Path file = Paths.get(args[0]);
        List<String> commands = Files.readAllLines(file);
        for (int i = 0; i < commands.size(); i++) {
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            PrintStream out = new PrintStream(printed, true, "UTF-8");
            System.setOut(out);
            System.setErr(Boolean.getBoolean("stderr.apart") ? new PrintStream(new ByteArrayOutputStream()) : out);
            try {
                MQAdminStartup.main0(commands.get(i).split(" "), null);
            } catch (Throwable e) {
                e.printStackTrace(out);
            }
            out.flush();
            Files.write(file.resolveSibling(file.getFileName() + "." + i), printed.toByteArray());
        }
        System.exit(0);
    }
}
