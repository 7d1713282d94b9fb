import com.machinezoo.sourceafis.FingerprintImage;
import com.machinezoo.sourceafis.FingerprintImageOptions;
import com.machinezoo.sourceafis.FingerprintMatcher;
import com.machinezoo.sourceafis.FingerprintTemplate;
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Extracts the prints of files given on the command line (width, height as
 * 32-bit and dpi as 64-bit numbers, then grey pixels) and compares each with
 * all after it. Everything is done twice, so that the second time the compiler
 * has done its work; that one is timed. Prints the two times in nanoseconds,
 * then a score a line.
 */
public class Compare {
    public static void main(String[] names) throws Exception {
        List<FingerprintImage> images = new ArrayList<>();
        for (String name : names) {
            try (DataInputStream in = new DataInputStream(new FileInputStream(name))) {
                int width = in.readInt();
                int height = in.readInt();
                double dpi = in.readDouble();
                byte[] pixels = new byte[width * height];
                in.readFully(pixels);
                images.add(new FingerprintImage(width, height, pixels, new FingerprintImageOptions().dpi(dpi)));
            }
        }
        long extraction = 0;
        long matching = 0;
        StringBuilder scores = new StringBuilder();
        for (int round = 0; round < 2; round++) {
            List<FingerprintTemplate> templates = new ArrayList<>();
            long start = System.nanoTime();
            for (FingerprintImage image : images) {
                templates.add(new FingerprintTemplate(image));
            }
            extraction = System.nanoTime() - start;
            scores.setLength(0);
            start = System.nanoTime();
            for (int a = 0; a < templates.size(); a++) {
                FingerprintMatcher matcher = new FingerprintMatcher(templates.get(a));
                for (int b = a + 1; b < templates.size(); b++) {
                    scores.append(matcher.match(templates.get(b))).append('\n');
                }
            }
            matching = System.nanoTime() - start;
        }
        System.out.println(extraction);
        System.out.println(matching);
        System.out.print(scores);
    }
}
